import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  chatTokens,
  loadTokenizer,
  makeTokenizer,
  SpecialTokens,
  TokenizerInvalid,
  TokenizerMissing,
  type TokenizerParts,
  tokenizerParts,
  writeTokenizer
} from "../src/index.ts"
import { qwen, qwenFile, qwenParts } from "./qwen.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const root = temporaryDirectory()
let made = 0
const directoryOf = (files: Readonly<Record<string, unknown>>): string => {
  const directory = join(root, `${made++}`)
  mkdirSync(directory)
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, name), typeof content === "string" ? content : JSON.stringify(content))
  }
  return directory
}
const contentOf = (directory: string, name: string): string => readFileSync(join(directory, name), "utf8")

const small = tokenizerParts([
  ["h", "e"],
  ["l", "l"],
  ["he", "ll"],
  ["hell", "o"],
  ["Ġ", "hello"]
])
const sample = "hello hello <img>é</img> he\n<tool_call>"

const failing = Effect.fnUntraced(function* (files: Readonly<Record<string, unknown>>) {
  return yield* Effect.flip(loadTokenizer(directoryOf(files)))
})

describe("the parts of a tokenizer", () => {
  it.effect("are those that it was made of", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* makeTokenizer(small, "small")).parts(), small)
      const { addedTokens, merges } = (yield* makeTokenizer(small, "small")).fitting(262).parts()!
      assert.deepStrictEqual(addedTokens, small.addedTokens.slice(0, 1))
      assert.deepStrictEqual(merges, small.merges)
    })
  )
})

describe("a tokenizer without merges", () => {
  it.effect("is refused where its vocabulary needs them, whatever file they should be in", () =>
    Effect.gen(function* () {
      const directory = directoryOf({})
      yield* writeTokenizer(directory, small)
      const json = JSON.parse(contentOf(directory, "tokenizer.json"))
      const lost = { ...json, model: { ...json.model, merges: [] } }
      const error = yield* failing({ "tokenizer.json": lost })
      assert.instanceOf(error, TokenizerInvalid)
      assert.match(error.message, /tokenizer\.json: there are no merges.*token "he" has several; the file is damaged/)
      const files = { "vocab.json": json.model.vocab, "merges.txt": "#version: 0.2\n" }
      assert.match((yield* failing(files)).message, /there are no merges/)
    })
  )

  it.effect("is one of single bytes where its vocabulary has no more", () =>
    Effect.gen(function* () {
      const directory = directoryOf({})
      yield* writeTokenizer(directory, tokenizerParts([]))
      const tokenizer = yield* loadTokenizer(directory)
      assert.strictEqual(tokenizer.encode("hé <img>").length, 5)
      assert.strictEqual(tokenizer.decode(tokenizer.encode("hé <img>")), "hé <img>")
    })
  )

  it.effect("with byte order marks before its files is the same", () =>
    Effect.gen(function* () {
      const directory = directoryOf({})
      yield* writeTokenizer(directory, small)
      for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
        writeFileSync(join(directory, name), `\ufeff${contentOf(directory, name)}`)
      }
      assert.deepEqual(
        (yield* loadTokenizer(directory)).encode(sample),
        (yield* makeTokenizer(small, "")).encode(sample)
      )
    })
  )
})

describe("loadTokenizer", () => {
  it.effect("loads the published tokenizer.json, with tokens added by the other files", () =>
    Effect.gen(function* () {
      const directory = directoryOf({
        "added_tokens.json": Object.fromEntries(qwenParts.addedTokens.map(({ text, id }) => [text, id])),
        "special_tokens_map.json": {
          eos_token: { content: "<|im_end|>" },
          additional_special_tokens: ["<img>", "</img>", { content: "<IMG_CONTEXT>" }]
        }
      })
      copyFileSync(qwenFile, join(directory, "tokenizer.json"))
      const tokenizer = yield* loadTokenizer(directory)
      assert.strictEqual(tokenizer.vocabSize, 151674)
      const text = "<|im_start|>user\n<img><IMG_CONTEXT></img>Hello, 你好!<|im_end|>\n"
      assert.deepEqual(tokenizer.encode(text), qwen.encode(text))
      assert.strictEqual(tokenizer.decode(tokenizer.encode(text), { skipSpecial: true }), "user\nHello, 你好!\n")
    })
  )

  it.effect("reads back what writeTokenizer writes, from either set of files", () =>
    Effect.gen(function* () {
      const directory = join(root, "written")
      yield* writeTokenizer(directory, small)
      const written = yield* makeTokenizer(small, "small")
      const loaded = yield* loadTokenizer(directory)
      const slow = yield* loadTokenizer(
        directoryOf({
          "vocab.json": contentOf(directory, "vocab.json"),
          "merges.txt": contentOf(directory, "merges.txt").replaceAll("\n", "\r\n"),
          "added_tokens.json": contentOf(directory, "added_tokens.json"),
          "special_tokens_map.json": contentOf(directory, "special_tokens_map.json")
        })
      )
      const configOnly = yield* loadTokenizer(
        directoryOf({
          "vocab.json": contentOf(directory, "vocab.json"),
          "merges.txt": contentOf(directory, "merges.txt"),
          "tokenizer_config.json": contentOf(directory, "tokenizer_config.json")
        })
      )
      for (const tokenizer of [loaded, slow, configOnly]) {
        assert.deepEqual(tokenizer.addedTokens, written.addedTokens)
        assert.deepEqual(tokenizer.encode(sample), written.encode(sample))
        assert.strictEqual(tokenizer.vocabSize, 256 + 5 + SpecialTokens.internvlAddedTokens.length)
      }
      // "hello" twice, the second with its space: one token each.
      assert.deepEqual([...written.encode("hello hello")], [259, 260])
      assert.strictEqual(written.encode("!")[0], 0)
      assert.deepEqual(yield* chatTokens(loaded), {
        endOfText: 261,
        messageStart: 262,
        messageEnd: 263,
        imageStart: 283,
        imageEnd: 284,
        imageContext: 285
      })
    })
  )

  it.effect("accepts merges as pairs", () =>
    Effect.gen(function* () {
      const directory = join(root, "pairs")
      yield* writeTokenizer(directory, small)
      const json = JSON.parse(contentOf(directory, "tokenizer.json"))
      json.model.merges = json.model.merges.map((merge: string) => merge.split(" "))
      const tokenizer = yield* loadTokenizer(directoryOf({ "tokenizer.json": json }))
      assert.deepEqual([...tokenizer.encode("hello hello")], [259, 260])
    })
  )

  it.effect("says what it looked for and what there is", () =>
    Effect.gen(function* () {
      const none = yield* failing({ "config.json": {}, "model.safetensors": "" })
      assert.instanceOf(none, TokenizerMissing)
      assert.match(
        none.message,
        /tokenizer\.json or vocab\.json with merges\.txt, the directory has config\.json, model/
      )
      const half = yield* failing({ "vocab.json": {} })
      assert.instanceOf(half, TokenizerMissing)
      assert.match(half.message, /merges\.txt \(beside vocab\.json\)/)
      const nowhere = yield* Effect.flip(loadTokenizer(join(root, "nowhere")))
      assert.match(nowhere.message, /nowhere/)
    })
  )

  it.effect("refuses damaged files and other kinds of tokenizers, naming the file and the place", () =>
    Effect.gen(function* () {
      const directory = join(root, "variants")
      yield* writeTokenizer(directory, small)
      const json = JSON.parse(contentOf(directory, "tokenizer.json"))
      const vocab = JSON.parse(contentOf(directory, "vocab.json"))
      const cases: ReadonlyArray<readonly [Readonly<Record<string, unknown>>, RegExp]> = [
        [{ "tokenizer.json": "{" }, /tokenizer\.json: not JSON/],
        [{ "tokenizer.json": { ...json, normalizer: { type: "NFKC" } } }, /normalizer/],
        [{ "tokenizer.json": { ...json, model: { ...json.model, type: "Unigram" } } }, /"BPE"/],
        [
          { "tokenizer.json": { ...json, model: { ...json.model, byte_fallback: true } } },
          /tokenizer\.json: it has byte_fallback: .* put the model's own tokenizer\.model/
        ],
        [{ "tokenizer.json": { ...json, added_tokens: [{ id: 300, content: "<x>", lstrip: true }] } }, /lstrip/],
        [{ "tokenizer.json": JSON.stringify(json).replace("\\\\p{N}|", "\\\\p{N}{1,3}|") }, /Regex/],
        [{ "vocab.json": vocab, "merges.txt": "#version: 0.2\nh e\nhe" }, /merges\.txt: line 3 is not two tokens/],
        [{ "vocab.json": vocab, "merges.txt": "h e\nq z\n" }, /vocab\.json: merge 1 .* needs the token "qz"/],
        [{ "vocab.json": { ...vocab, "!": "0" }, "merges.txt": "" }, /vocab\.json/],
        [
          { "tokenizer.json": json, "added_tokens.json": { "<img>": 7 } },
          /added_tokens\.json: added token "<img>" \(id 7\) contradicts "<img>" \(id 283\)/
        ]
      ]
      for (const [files, message] of cases) {
        const error = yield* failing(files)
        assert.instanceOf(error, TokenizerInvalid)
        assert.match(error.message, message)
      }
    })
  )
})

describe("makeTokenizer", () => {
  it.effect("refuses parts that contradict each other", () =>
    Effect.gen(function* () {
      const vocabulary = (change: (map: Map<string, number>) => void): TokenizerParts => {
        const map = new Map(small.vocabulary)
        change(map)
        return { ...small, vocabulary: map }
      }
      const added = (id: number, text: string): TokenizerParts => ({
        ...small,
        addedTokens: [{ id, text, special: true }]
      })
      const cases: ReadonlyArray<readonly [TokenizerParts, RegExp]> = [
        [vocabulary((map) => map.delete("a")), /byte 0x61 \("a"\) has no token/],
        [vocabulary((map) => map.set("b", map.get("a")!)), /belongs to two tokens, "a" and "b"/],
        [vocabulary((map) => map.set("你", 400)), /outside the byte alphabet/],
        [vocabulary((map) => map.set("aa", -1)), /id -1/],
        [vocabulary((map) => map.set("aa", 2 ** 31)), /id 2147483648/],
        [added(5, "<x>"), /id 5 belongs to two tokens/],
        [added(400, "a"), /has two ids, 64 in the vocabulary and 400/],
        [added(400, ""), /empty text/],
        [added(-1, "<x>"), /id -1/]
      ]
      for (const [parts, message] of cases) {
        const error = yield* Effect.flip(makeTokenizer(parts, "parts"))
        assert.match(error.message, message)
        assert.match(error.message, /^parts: /)
      }
    })
  )

  it.effect("writes nothing when the parts make no tokenizer", () =>
    Effect.gen(function* () {
      const parts = { ...small, merges: [["q", "z"] as const] }
      const error = yield* Effect.flip(writeTokenizer(join(root, "unwritten"), parts))
      assert.instanceOf(error, TokenizerInvalid)
      assert.instanceOf(yield* Effect.flip(loadTokenizer(join(root, "unwritten"))), Error)
    })
  )
})

describe("chatTokens", () => {
  it.effect("names every missing token", () =>
    Effect.gen(function* () {
      const tokenizer = yield* makeTokenizer(tokenizerParts([], [{ text: "<img>", special: true }]), "bare")
      const error = yield* Effect.flip(chatTokens(tokenizer))
      assert.match(error.message, /<\|endoftext\|>.*<\|im_end\|>.*<\/img>.*<IMG_CONTEXT>/)
      assert.notMatch(error.message, /no <img>/)
    })
  )
})
