/** What calibrates: blocks of text, or records of images and text as training sees them. */
import { dirname } from "node:path"
import { linesOf, readPieces, textOf } from "@speedq/formats"
import type { Compat, Forecast, RecipeSettings } from "@speedq/pipeline"
import { calibrationBlocks, documentOfLine, documentsOf } from "@speedq/quantizers"
import { type Backend, noGrad, reshape, scope, type Tensor, tensor, writeRows, zeros } from "@speedq/tensors"
import {
  embedTokens,
  imageTokenRows,
  type LanguageConfig,
  type ModelDirectory,
  openTrainingData,
  startIds,
  type Tokenizer,
  type Weights
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { computing } from "../compute/computing.ts"
import { type MicroBatch, openSampleLoader } from "../data/SampleLoader.ts"
import { makingOf } from "../data/SampleSource.ts"
import { dataUnusable } from "../Errors.ts"
import { owned } from "../model/stageMemory.ts"
import { inputEmbeddings } from "../training/hiddenStates.ts"
import { DataConfig } from "../training/TrainingConfig.ts"
import { calibrationFeatures } from "./calibrationFeatures.ts"
import { eachRecord, type RecordOptions } from "./records.ts"
import type { Seen } from "./seen.ts"
import { rowsFrom, type Sequences } from "./sequences.ts"

/** A file of text (JSONL with `text` or `conversations`, or paragraphs), or the data of a training stage: records with their images. */
export const Calibration = Schema.Union([Schema.NonEmptyString, DataConfig])
export type Calibration = typeof Calibration.Type

export const seesImages = (calibration: Calibration): calibration is DataConfig => typeof calibration !== "string"

/** The file that messages name. */
export const sourceOf = (calibration: Calibration): string => (seesImages(calibration) ? calibration.meta : calibration)

/** How text is chosen and cut (docs/method.md, "Clipping search"). */
interface TextOptions {
  readonly documents: number
  readonly longest: number
  readonly block: number
}

/** Documents of a file, which may be compressed (`.zst`). Lines of JSON are read one by one: the file may be larger than a text can be. */
const readDocuments = async (file: string): Promise<readonly string[]> => {
  const pieces = readPieces(file)
  if (!/\.jsonl(\.zst)?$/.test(file)) return documentsOf(file, await textOf(file, pieces), "text")
  const documents: string[] = []
  let lines = 0
  for await (const line of linesOf(file, pieces)) documents.push(...documentOfLine(file, line, ++lines))
  return documents
}

/** Blocks of calibration tokens. Fails with DataUnusable, which names file and line. */
export const readBlocks = (file: string, tokenizer: Tokenizer, options: TextOptions) =>
  Effect.tryPromise({
    try: async () => {
      const start = startIds(tokenizer)
      const documents = await readDocuments(file)
      return calibrationBlocks(file, documents, (text) => [...start, ...tokenizer.encode(text)], options)
    },
    catch: dataUnusable
  })

export const tooFewTokens = (source: string, tokens: number, needed: number): string =>
  `${source} gives ${tokens} tokens of calibration data, but ${needed} are needed`

/** How many blocks a text gives, undefined where it cannot be read, and what stands in the way of a search. */
export const lookAtText = (
  file: string,
  tokenizer: Tokenizer,
  options: TextOptions & { readonly sampleTokens: number }
): Effect.Effect<{ readonly blocks: number | undefined; readonly obstacles: readonly Forecast.Obstacle[] }> => {
  const fix = "give more text, or set a smaller block or sampleTokens"
  return Effect.match(readBlocks(file, tokenizer, options), {
    onSuccess: ({ length: blocks }) => {
      const tokens = blocks * options.block
      const issue = tooFewTokens(file, tokens, options.sampleTokens)
      return { blocks, obstacles: tokens < options.sampleTokens ? [{ issue, fix }] : [] }
    },
    onFailure: ({ reason: issue }) => ({ blocks: undefined, obstacles: [{ issue, fix }] })
  })
}

/** Embeddings of blocks of tokens. The caller releases them. */
export const embedBlocks = (
  backend: Backend,
  weights: Weights,
  config: LanguageConfig,
  blocks: readonly Int32Array[]
): Sequences => {
  const ids = Int32Array.from(blocks.flatMap((block) => [...block]))
  const hidden = noGrad(() =>
    scope(() => {
      const embedded = embedTokens(weights, config, tensor(backend, ids, [1, ids.length], "i32"))
      return reshape(embedded, [ids.length, embedded.shape.at(-1)!])
    })
  )
  return { hidden, lengths: blocks.map(({ length }) => length) }
}

/** Records whose lengths are looked at before any work: their pictures' headers are read. */
const mostMeasured = 512

/**
 * Tokens of all selected records together, which is the most that some of them can give; undefined where they are too many to
 * be measured. Of a record that cannot be measured the most that it could have.
 */
export const recordTokens = Effect.fn("recordTokens")(function* (
  data: DataConfig,
  compat: typeof Compat.Type,
  { model, seed }: RecipeSettings
) {
  const { meta, percent, maxLength } = data
  const { index, count } = yield* openTrainingData({ meta, base: dirname(meta), percent, seed })
  if (count > mostMeasured) return undefined
  const loader = yield* openSampleLoader({ model, index, ...makingOf(data, compat), dropped: new Set(), seed })
  const lengths = yield* loader.lengths(0, count)
  return lengths.reduce((sum, length) => sum + Math.min(length, maxLength), 0)
}, Effect.scoped)

/** 1 for each token of a record that is of a picture, [T]. */
export const visualTokens = ({ tokens }: ModelDirectory, { inputIds }: Pick<MicroBatch, "inputIds">): Uint8Array => {
  const visual = new Uint8Array(inputIds.length)
  for (const row of imageTokenRows(inputIds, tokens.imageContext)) visual[row] = 1
  return visual
}

interface EmbeddingOptions extends RecordOptions {
  readonly backend: Backend
  readonly directory: ModelDirectory
  /** Of tower, projector and embedding. */
  readonly weights: Weights
}

/**
 * Embeddings [1, T, H] of records, their images seen through tower and projector; the caller of `embed` releases them. `tell` says what
 * came of features that are kept.
 */
export const openRecordEmbedder = Effect.fn("openRecordEmbedder")(function* ({
  backend,
  directory,
  weights,
  stage
}: Pick<EmbeddingOptions, "backend" | "directory" | "weights" | "stage">) {
  const { vision, tell } = yield* calibrationFeatures(stage.recipe, { backend, config: directory.config, weights })
  const embed = async (record: MicroBatch, index: number): Promise<Tensor> => {
    const features = await vision.of(record, index)
    try {
      return noGrad(() => scope(() => inputEmbeddings({ backend, directory, weights, batch: record, features })))
    } finally {
      features?.release()
    }
  }
  return { embed, tell }
})

/**
 * Embeddings of the first records of a mixture in the stage's order, their images seen through tower and projector. The
 * caller releases them. Fails with DataUnusable, SampleWorkerFailed and ComputeFailed.
 */
export const embedRecords = Effect.fn("embedRecords")(function* (options: EmbeddingOptions) {
  const { backend, directory } = options
  const { embed, tell } = yield* openRecordEmbedder(options)
  const scopeOfAll = yield* Effect.scope
  const sequences: Tensor[] = []
  const visual: Uint8Array[] = []
  const seen = yield* eachRecord(
    options,
    Effect.fnUntraced(function* (record, index) {
      const embedded = owned(
        computing(() => embed(record, index)),
        (embeddings) => embeddings.release()
      )
      sequences.push(yield* Scope.provide(embedded, scopeOfAll))
      visual.push(visualTokens(directory, record))
    })
  )
  yield* tell
  const lengths = sequences.map(({ shape }) => shape[1]!)
  return yield* computing((): Sequences & { readonly seen: Seen | undefined } => {
    const width = directory.config.llm_config.hidden_size
    const hidden = noGrad(() =>
      scope(() => {
        const joined = zeros(backend, [lengths.reduce((sum, length) => sum + length, 0), width])
        let first = 0
        for (const [at, length] of lengths.entries()) {
          writeRows(joined, reshape(sequences[at]!, [length, width]), rowsFrom(backend, first, length))
          first += length
        }
        return joined
      })
    )
    return { hidden, lengths, visual: Uint8Array.from(visual.flatMap((each) => [...each])), seen }
  })
}, Effect.scoped)
