import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  imagenetStatistics,
  ModelConfigInvalid,
  openModelDirectory,
  SpecialTokenMissing,
  TokenizerMissing,
  tokenizerParts,
  VocabularyMismatch,
  writeTokenizer
} from "../src/index.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"
import { tinyDirectory } from "./tinyModel.ts"

const tiny = JSON.parse(readFileSync(join(tinyDirectory, "config.json"), "utf8"))
const config = { ...tiny, llm_config: { ...tiny.llm_config, vocab_size: 300 } }
const parts = tokenizerParts([["h", "e"]])

const root = temporaryDirectory()
let made = 0
const imagenet = { image_mean: imagenetStatistics.mean, image_std: imagenetStatistics.std }
/** A model directory of these files, with ImageNet's statistics unless one of them has its own. */
const directoryOf = Effect.fnUntraced(function* (
  files: { readonly [name: string]: unknown },
  tokenizer = parts,
  processor: { readonly [name: string]: unknown } = { "preprocessor_config.json": imagenet }
) {
  const directory = join(root, `${made++}`)
  mkdirSync(directory)
  for (const [name, content] of Object.entries({ ...processor, ...files })) {
    writeFileSync(join(directory, name), JSON.stringify(content))
  }
  yield* writeTokenizer(directory, tokenizer)
  return directory
})

describe("openModelDirectory", () => {
  it.effect("reads config, tokenizer and how pictures are prepared", () =>
    Effect.gen(function* () {
      const directory = yield* directoryOf({
        "config.json": { ...config, max_dynamic_patch: 6, use_thumbnail: false, pad2square: true }
      })
      const model = yield* openModelDirectory(directory)
      assert.strictEqual(model.directory, directory)
      assert.strictEqual(model.config.llm_config.vocab_size, 300)
      assert.strictEqual(model.tokens.imageContext, model.tokenizer.tokenId("<IMG_CONTEXT>"))
      assert.deepStrictEqual(model.image, {
        tileSize: 56,
        minTiles: 1,
        maxTiles: 6,
        thumbnail: false,
        dynamic: true,
        padToSquare: true,
        statistics: imagenetStatistics
      })
    })
  )

  it.effect("takes byte order marks for no part of config.json and preprocessor_config.json", () =>
    Effect.gen(function* () {
      const statistics = { image_mean: [0.5, 0.4, 0.3], image_std: [0.1, 0.2, 0.3] }
      const directory = yield* directoryOf({ "config.json": config, "preprocessor_config.json": statistics })
      const plain = yield* openModelDirectory(directory)
      for (const name of ["config.json", "preprocessor_config.json"]) {
        writeFileSync(join(directory, name), `\ufeff${readFileSync(join(directory, name), "utf8")}`)
      }
      const marked = yield* openModelDirectory(directory)
      assert.deepStrictEqual([marked.config, marked.image], [plain.config, plain.image])
    })
  )

  it.effect("takes the statistics of preprocessor_config.json, whatever else it says", () =>
    Effect.gen(function* () {
      const statistics = { image_mean: [0.5, 0.4, 0.3], image_std: [0.1, 0.2, 0.3], crop_size: 448, do_resize: true }
      const directory = yield* directoryOf({ "config.json": config, "preprocessor_config.json": statistics })
      const { image } = yield* openModelDirectory(directory)
      assert.deepStrictEqual(image.statistics, { mean: [0.5, 0.4, 0.3], std: [0.1, 0.2, 0.3] })
    })
  )

  const own = { image_mean: [0.5, 0.4, 0.3], image_std: [0.1, 0.2, 0.3] }
  const withProcessor = (processor: { readonly [name: string]: unknown }) =>
    Effect.flatMap(directoryOf({ "config.json": config }, parts, processor), openModelDirectory)

  it.effect("takes the statistics that transformers 5 nests in processor_config.json", () =>
    Effect.gen(function* () {
      const nested = { image_processor: { ...own, do_normalize: true, rescale_factor: 1 / 255 }, image_seq_length: 256 }
      const { image } = yield* withProcessor({ "processor_config.json": nested })
      assert.deepStrictEqual(image.statistics, { mean: [0.5, 0.4, 0.3], std: [0.1, 0.2, 0.3] })
      // One of version 4 has no image processor in it: that is beside it.
      const both = { "processor_config.json": { image_seq_length: 256 }, "preprocessor_config.json": own }
      assert.deepStrictEqual((yield* withProcessor(both)).image.statistics.mean, [0.5, 0.4, 0.3])
    })
  )

  it.effect("refuses a model whose statistics nothing states, and files that contradict each other", () =>
    Effect.gen(function* () {
      for (const processor of [{}, { "processor_config.json": { image_seq_length: 256 } }]) {
        const error = yield* Effect.flip(withProcessor(processor))
        assert.instanceOf(error, ModelConfigInvalid)
        assert.match(error.message, /preprocessor_config\.json: it is not there.*with which mean and deviation/s)
      }
      const two = { "processor_config.json": { image_processor: own }, "preprocessor_config.json": imagenet }
      const error = yield* Effect.flip(withProcessor(two))
      assert.match(
        error.message,
        /processor_config\.json: its image_mean and image_std are not those of .*preprocessor/
      )
    })
  )

  it.effect("refuses a processor that does something else with pixels", () =>
    Effect.gen(function* () {
      for (const [change, key] of [
        [{ do_normalize: false }, "do_normalize"],
        [{ do_rescale: false }, "do_rescale"],
        [{ rescale_factor: 1 }, "divided by 255"]
      ] as const) {
        const error = yield* Effect.flip(withProcessor({ "preprocessor_config.json": { ...own, ...change } }))
        assert.include(error.message, key)
      }
    })
  )

  it.effect("refuses statistics of another form", () =>
    Effect.gen(function* () {
      const files = { "config.json": config, "preprocessor_config.json": { image_mean: [0.5], image_std: [1, 1, 1] } }
      const error = yield* Effect.flip(openModelDirectory(yield* directoryOf(files)))
      assert.instanceOf(error, ModelConfigInvalid)
      assert.match(error.message, /preprocessor_config\.json.*image_mean/s)
    })
  )

  it.effect("takes an added token without a row in the embedding for text", () =>
    Effect.gen(function* () {
      const rows = 257 + parts.addedTokens.length
      const fits = { ...config, llm_config: { ...config.llm_config, vocab_size: rows } }
      const video = { id: rows, text: "<video>", special: true }
      const tokenizer = { ...parts, addedTokens: [...parts.addedTokens, video] }
      const model = yield* openModelDirectory(yield* directoryOf({ "config.json": fits }, tokenizer))
      assert.strictEqual(model.tokenizer.vocabSize, rows)
      assert.strictEqual(model.tokenizer.tokenId("</box>"), rows - 1)
      const ids = model.tokenizer.encode("<video></box>")
      assert.deepStrictEqual([ids.length, ids.at(-1)], ["<video>".length + 1, rows - 1])
      assert.strictEqual(model.tokenizer.decode(ids), "<video></box>")
    })
  )

  it.effect("refuses a tokenizer with more ids than the embedding has rows", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(openModelDirectory(yield* directoryOf({ "config.json": tiny })))
      assert.instanceOf(error, VocabularyMismatch)
      assert.deepStrictEqual([error.tokens, error.rows], [257 + 31, 160])
      assert.include(error.message, "288 ids")
      // The bytes fit here, and the token of a picture does not.
      const short = { ...config, llm_config: { ...config.llm_config, vocab_size: 280 } }
      const picture = yield* Effect.flip(openModelDirectory(yield* directoryOf({ "config.json": short })))
      assert.instanceOf(picture, VocabularyMismatch)
      assert.deepStrictEqual([picture.tokens, picture.rows], [288, 280])
    })
  )

  it.effect("refuses a tokenizer without the tokens of a conversation", () =>
    Effect.gen(function* () {
      const bare = tokenizerParts([], [{ text: "<|endoftext|>", special: true }])
      const error = yield* Effect.flip(openModelDirectory(yield* directoryOf({ "config.json": config }, bare)))
      assert.instanceOf(error, SpecialTokenMissing)
      assert.include(error.message, "<IMG_CONTEXT>")
    })
  )

  it.effect("says what is missing", () =>
    Effect.gen(function* () {
      const noConfig = yield* Effect.flip(openModelDirectory(yield* directoryOf({})))
      assert.instanceOf(noConfig, ModelConfigInvalid)
      assert.include(noConfig.message, "config.json")
      const noTokenizer = yield* Effect.flip(openModelDirectory(tinyDirectory))
      assert.instanceOf(noTokenizer, TokenizerMissing)
    })
  )
})
