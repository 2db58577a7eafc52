/** SentencePiece models: what sentencepiece and transformers make of texts and ids, and files that are none. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  encodeConversation,
  encodeSequence,
  estimateLength,
  generationPrompt,
  loadTokenizer,
  type Tokenizer,
  TokenizerInvalid,
  type Turn
} from "../src/index.ts"
import { readSentencePiece, sentencePieceFile } from "../src/tokenizer/sentencePiece/modelFile.ts"
import { field, floatField } from "../src/tokenizer/sentencePiece/protobuf.ts"
import { fixtureJson, fixturePath } from "./fixture.ts"
import { multilingual } from "./multilingual.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

interface Fixture {
  readonly added: Readonly<Record<string, number>>
  readonly encodings: readonly {
    readonly text: string
    readonly ids: readonly number[]
    /** Without added tokens. */
    readonly plain: readonly number[]
    readonly decoded: string
    /** Of `ids`, special tokens left out. */
    readonly spoken: string
  }[]
  readonly decodings: readonly { readonly ids: readonly number[]; readonly text: string }[]
  readonly conversations: readonly {
    readonly turns: readonly Turn[]
    /** Visual tokens of each picture. */
    readonly tiles: readonly number[]
    readonly ids: readonly number[]
    readonly labels: readonly number[]
    readonly mask: readonly number[]
    readonly positions: readonly number[]
  }[]
  /** Of one question about one picture of two visual tokens. */
  readonly prompt: readonly number[]
}

const root = temporaryDirectory()
let made = 0
const directoryOf = (model: Uint8Array, config: object = {}, added: object = {}): string => {
  const directory = join(root, `${made++}`)
  mkdirSync(directory)
  writeFileSync(join(directory, "tokenizer.model"), model)
  writeFileSync(join(directory, "tokenizer_config.json"), JSON.stringify(config))
  writeFileSync(join(directory, "added_tokens.json"), JSON.stringify(added))
  return directory
}

const load = (directory: string): Promise<Tokenizer> => Effect.runPromise(loadTokenizer(directory))
const refusal = async (model: Uint8Array, config?: object, added?: object): Promise<string> => {
  const error = await Effect.runPromise(Effect.flip(loadTokenizer(directoryOf(model, config, added))))
  assert.instanceOf(error, TokenizerInvalid)
  return error.message
}

const names = ["plain", "spaced", "joined"] as const
const fileOf = (name: string) => readFileSync(fixturePath(`sentencePiece/${name}.model`))
const opened = await Promise.all(
  names.map(async (name) => {
    const fixture = fixtureJson<Fixture>(`sentencePiece/${name}.json`)
    const special = { additional_special_tokens: Object.keys(fixture.added) }
    const directory = directoryOf(fileOf(name), special, fixture.added)
    return { name, fixture, tokenizer: await load(directory), bare: await load(directoryOf(fileOf(name))) }
  })
)

describe.each(opened)(
  "the model $name",
  ({ name, fixture: { encodings, decodings, conversations, prompt, added }, tokenizer, bare }) => {
    it("encodes as sentencepiece between the added tokens of transformers", () => {
      assert.isAbove(encodings.length, 60)
      for (const { text, ids } of encodings) assert.deepEqual([...tokenizer.encode(text)], ids, JSON.stringify(text))
    })

    it("encodes as sentencepiece alone where no added token is matched", () => {
      const all = new Set(tokenizer.addedTokens.map(({ text }) => text))
      for (const { text, plain } of encodings) {
        assert.deepEqual([...tokenizer.encode(text, all)], plain, JSON.stringify(text))
        assert.deepEqual([...bare.encode(text, all)], plain, JSON.stringify(text))
      }
    })

    it("decodes as sentencepiece, special tokens left out", () => {
      for (const { text, ids, plain, decoded, spoken } of encodings) {
        assert.strictEqual(bare.decode(plain), decoded, JSON.stringify(text))
        assert.strictEqual(tokenizer.decode(ids, { skipSpecial: true }), spoken, JSON.stringify(text))
      }
    })

    it("decodes any ids as sentencepiece, broken characters and spaces at the beginning included", () => {
      // Without <unk>, which is an added token: sentencepiece writes it its own way.
      for (const { ids, text } of decodings.filter(({ ids }) => !ids.some((id) => id < 3))) {
        assert.strictEqual(bare.decode(ids), text, ids.join(" "))
      }
      assert.isAbove(decodings.filter(({ text }) => text.includes("\ufffd")).length, 5)
    })

    it("decodes in a stream what it decodes at once, and splits no character", () => {
      for (const skipSpecial of [false, true]) {
        for (const { ids } of [...encodings, ...decodings]) {
          const stream = tokenizer.stream({ skipSpecial })
          const pieces = [...ids.map((id) => stream.push(id)), stream.flush()]
          assert.strictEqual(pieces.join(""), tokenizer.decode(ids, { skipSpecial }))
          for (const piece of pieces) assert.notMatch(piece, /[\ud800-\udbff]$|^[\udc00-\udfff]/)
          // The decoder can be used again.
          assert.strictEqual(ids.map((id) => stream.push(id)).join("") + stream.flush(), pieces.join(""))
        }
      }
    })

    it("gives a text back, spaces as the model has them", () => {
      // Text between added tokens has its spaces joined by itself.
      const words = new Set(name === "joined" ? tokenizer.addedTokens.map(({ text }) => text) : [])
      fc.assert(
        fc.property(multilingual, (text) => {
          const own = text.replace(/[\ud800-\udfff]/gu, "\ufffd").replaceAll("\u2581", " ")
          const kept = name === "joined" ? own.replace(/ +/g, " ").replace(/^ | $/g, "") : own
          assert.strictEqual(tokenizer.decode(tokenizer.encode(text, words)), kept)
        }),
        { seed: 31, numRuns: 300 }
      )
    })

    it("encodes a record as the reference does: begun with a token, which is no label", () => {
      for (const { turns, tiles, ids, labels, mask, positions } of conversations) {
        const options = { tokenizer, tokensPerTile: 1, maxLength: 8192 }
        const encoded = Result.getOrThrow(encodeConversation(turns, tiles, options))
        assert.deepEqual([...encoded.inputIds], ids)
        assert.deepEqual([...encoded.labels], labels)
        assert.deepEqual([...encoded.attentionMask], mask)
        assert.deepEqual([...encoded.positionIds], positions)
      }
      assert.isTrue(conversations.some(({ mask }) => mask.includes(0)))
    })

    it("encodes a question as the reference's chat does, and measures it with the token that it begins with", async () => {
      const rendered = await Effect.runPromise(
        generationPrompt({ question: "How many circles?", tilesPerImage: [1], tokensPerTile: 2 })
      )
      assert.deepEqual([...encodeSequence(tokenizer, rendered)], prompt)
      const record = { conversations: [{ from: "human", value: "circle" }] } as const
      const length = estimateLength(record, 2, { tokenizer, tokensPerTile: 10 })
      assert.strictEqual(length, 1 + tokenizer.encode("circle").length + 20)
    })

    it("knows its tokens: an added one has the id of the piece that it replaces", () => {
      for (const [text, id] of Object.entries({ ...added, "<s>": 1, "</s>": 2, "<unk>": 0 })) {
        assert.strictEqual(tokenizer.tokenId(text), id)
        assert.strictEqual(tokenizer.decode([id]), text)
        assert.isTrue(tokenizer.isSpecial(id))
      }
      assert.strictEqual(tokenizer.vocabSize, 563)
      assert.strictEqual(tokenizer.fitting(561).vocabSize, 561)
      assert.isUndefined(tokenizer.fitting(561).tokenId("<IMG_CONTEXT>"))
      assert.isUndefined(tokenizer.tokenId("no such token"))
      assert.throws(() => tokenizer.decode([-100]), RangeError, "-100")
      assert.strictEqual(tokenizer.decode([5000]), "\ufffd")
      assert.strictEqual(tokenizer.startOfText, "<s>")
      assert.strictEqual(tokenizer.endOfText, "</s>")
    })
  }
)

describe("the files beside a model", () => {
  it("say whether sequences begin with a token, and what fills them up", async () => {
    const without = await load(directoryOf(fileOf("plain"), { add_bos_token: false }))
    assert.isUndefined(without.startOfText)
    const other = { bos_token: { content: "<unk>" }, pad_token: "[UNUSED_TOKEN_3]" }
    const named = await load(directoryOf(fileOf("plain"), other))
    assert.deepEqual([named.startOfText, named.endOfText], ["<unk>", "[UNUSED_TOKEN_3]"])
    assert.match(await refusal(fileOf("plain"), { pad_token: "<none>" }), /no token "<none>", which ends a text/)
  })

  it("are not needed", async () => {
    const directory = join(root, "alone")
    mkdirSync(directory)
    copyFileSync(fixturePath("sentencePiece/plain.model"), join(directory, "tokenizer.model"))
    const tokenizer = await load(directory)
    assert.deepEqual([...tokenizer.encode("</s>")], [2])
  })

  it("cannot give an id to the empty text, or one beyond all bounds", async () => {
    assert.match(await refusal(fileOf("plain"), {}, { "": 600 }), /added token 600 is the empty text/)
    assert.match(await refusal(fileOf("plain"), {}, { "<a>": 2 ** 23 }), /id 8388608; ids are integers from 0/)
  })
})

const bytes = Array.from({ length: 256 }, (_, byte) => ({
  text: `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  score: 0,
  type: 6
}))
const ends = [
  { text: "<unk>", score: 0, type: 2 },
  { text: "<s>", score: 0, type: 3 },
  { text: "</s>", score: 0, type: 3 }
]
const normal = (text: string, score: number) => ({ text, score, type: 1 })
const small = (...more: readonly { text: string; score: number; type: number }[]) =>
  sentencePieceFile([...ends, ...bytes, ...more])
const letters = ["a", "b", "c"].map((text) => normal(text, -9))

describe("a model that was written", () => {
  it("is read again", () => {
    const pieces = [...ends, ...bytes, normal("\u2581猫", -1.5)]
    const model = readSentencePiece(sentencePieceFile(pieces))
    assert.deepEqual(model.pieces, pieces)
    assert.include(model, {
      modelType: 2,
      byteFallback: true,
      spaceBefore: false,
      joinSpaces: false,
      marksSpaces: true
    })
  })

  it("merges equal scores from left to right, and a character that is no piece only within one", async () => {
    const tokenizer = await load(directoryOf(small(...letters, normal("ab", -1), normal("bc", -1), normal("xy", -2))))
    const [ab, bc, xy] = ["ab", "bc", "xy"].map((text) => tokenizer.tokenId(text)!)
    const c = tokenizer.tokenId("c")!
    assert.deepEqual([...tokenizer.encode("abc")], [ab, c])
    assert.deepEqual([...tokenizer.encode("bcbabc")], [bc, tokenizer.tokenId("b"), ab, c])
    const byteX = 3 + "x".charCodeAt(0)
    assert.deepEqual([...tokenizer.encode("xxyb")], [byteX, xy, tokenizer.tokenId("b")])
  })
})

describe("a file that cannot be used is refused with a reason", () => {
  const whole = fileOf("plain")
  it.each([
    ["cut", whole.subarray(0, 100), /not a SentencePiece model: \d+ bytes announced at \d+, but \d+ are left/],
    ["without end to a number", new Uint8Array(20).fill(0xff), /the number at 0 has more than 10 bytes/],
    ["with an unknown type", Uint8Array.of(0x0b), /unknown type 3/],
    ["with the field 0", Uint8Array.of(0x00), /number 0/],
    ["with a number for a piece", field(1, 5), /piece 0 is a number/],
    ["with a number for a text", field(1, field(1, 5)), /text of piece 0 is a number/],
    ["with a text that is not UTF-8", field(1, field(1, Uint8Array.of(0xff))), /text of piece 0 is not UTF-8/],
    ["with a piece of no text", field(1, floatField(2, 1)), /piece 0 has no text/],
    ["with a score of another size", field(1, field(2, new Uint8Array(3))), /score of piece 0 has 3 bytes/],
    ["with a score that is no number", field(1, floatField(2, Number.NaN)), /score of piece 0 is not a number/],
    ["with a text for a type", field(1, field(3, new Uint8Array(1))), /type of piece 0 is no whole number/],
    ["empty", new Uint8Array(), /it has no token that ends a text/],
    ["of another kind", Buffer.concat([whole, field(2, field(3, 1))]), /model_type is 1; only BPE/],
    ["without byte fallback", Buffer.concat([whole, field(2, field(3, 2))]), /no byte_fallback/],
    [
      "that replaces characters",
      Buffer.concat([whole, field(3, field(2, new Uint8Array(8)))]),
      /replaces characters \(precompiled_charsmap\)/
    ],
    ["that leaves spaces", Buffer.concat([whole, field(3, field(5, 0))]), /does not escape white space/],
    [
      "with spaces behind words",
      Buffer.concat([whole, field(2, Buffer.concat([field(3, 2), field(35, 1), field(24, 1)]))]),
      /white space as a suffix/
    ],
    ["without a byte", sentencePieceFile([...ends, ...bytes.slice(0, 65), ...bytes.slice(66)]), /no piece for byte 65/],
    ["with a byte that is none", small({ text: "<0xZZ>", score: 0, type: 6 }), /is called a byte, but names none/],
    ["with a piece twice", small(...letters, normal("a", -1)), /pieces 259 and 262 are both "a"/],
    ["with a piece too long", small(normal("a".repeat(600), -1)), /piece 259 has 600 characters; at most 512/],
    [
      "with an unused piece that merges make",
      small(...letters, { text: "ab", score: -1, type: 5 }),
      /piece 262, "ab", is unused but merges make it/
    ]
  ] as const)("%s", async (_, file, reason) => {
    assert.match(await refusal(file), reason)
  })

  it("whatever its bytes are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.uint8Array({ minLength: 1, maxLength: 6 }), async (at, noise) => {
        const damaged = Uint8Array.from(whole)
        damaged.set(noise.subarray(0, whole.length - at), at)
        const result = await Effect.runPromise(Effect.result(loadTokenizer(directoryOf(damaged))))
        if (result._tag === "Failure") assert.instanceOf(result.failure, TokenizerInvalid)
      }),
      { seed: 32, numRuns: 60 }
    )
  })
})
