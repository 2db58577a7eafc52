/** What the clipping search looks at: blocks of text, or records of images and text as training sees them. */
import { readFile } from "node:fs/promises"
import { type Compat, emit, RunEvents, type Stage } from "@speedq/pipeline"
import { calibrationBlocks, documentsOf } from "@speedq/quantizers"
import { type Backend, noGrad, reshape, scope, type Tensor, tensor, writeRows, zeros } from "@speedq/tensors"
import { embedTokens, type ModelDirectory, type Tokenizer, type Weights } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { computing } from "../compute/computing.ts"
import { openStageData } from "../data/openStageData.ts"
import { counted, emptyTally, type SampleTally, substitutions } from "../data/SampleTally.ts"
import { noneUsed, withUsed } from "../data/usedSamples.ts"
import { DataUnusable } from "../Errors.ts"
import { owned } from "../model/stageMemory.ts"
import { inputEmbeddings } from "../training/hiddenStates.ts"
import { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { makeVisionFeatures } from "../training/VisionFeatures.ts"

/** A file of text (JSONL with `text` or `conversations`, or paragraphs), or the data of a training stage: records with their images. */
export const Calibration = Schema.Union([Schema.NonEmptyString, DataConfig])
export type Calibration = typeof Calibration.Type

export const seesImages = (calibration: Calibration): calibration is DataConfig => typeof calibration !== "string"

/** The file that messages name. */
export const sourceOf = (calibration: Calibration): string => (seesImages(calibration) ? calibration.meta : calibration)

/** Sequences of hidden states [rows, H], one after the other. */
export interface Sequences {
  readonly hidden: Tensor
  readonly lengths: readonly number[]
}

/** How text is chosen and cut (docs/method.md, "Clipping search"). */
interface TextOptions {
  readonly documents: number
  readonly longest: number
  readonly block: number
}

/** Blocks of calibration tokens. Fails with DataUnusable, which names file and line. */
export const readBlocks = (file: string, tokenizer: Tokenizer, options: TextOptions) =>
  Effect.tryPromise({
    try: async () => {
      // Takes a byte order mark for no part of the first document.
      const content = new TextDecoder().decode(await readFile(file))
      const documents = documentsOf(file, content, file.endsWith(".jsonl") ? "jsonl" : "text")
      return calibrationBlocks(file, documents, (text) => tokenizer.encode(text), options)
    },
    catch: (error) => new DataUnusable({ reason: error instanceof Error ? error.message : String(error) })
  })

/** Embeddings of blocks of tokens. The caller releases them. */
export const embedBlocks = (backend: Backend, weights: Weights, blocks: readonly Int32Array[]): Sequences => {
  const ids = Int32Array.from(blocks.flatMap((block) => [...block]))
  const hidden = noGrad(() =>
    scope(() => {
      const embedded = embedTokens(weights, tensor(backend, ids, [1, ids.length], "i32"))
      return reshape(embedded, [ids.length, embedded.shape.at(-1)!])
    })
  )
  return { hidden, lengths: blocks.map(({ length }) => length) }
}

interface RecordOptions {
  readonly backend: Backend
  readonly directory: ModelDirectory
  /** Of tower, projector and embedding. */
  readonly weights: Weights
  readonly data: DataConfig
  /** How many records are looked at. */
  readonly documents: number
  readonly compat: typeof Compat.Type
  readonly stage: Pick<Stage.StageContext, "recipe" | "seed" | "directory">
}

/** What was seen of records, and which were used. */
export interface Seen {
  readonly tally: SampleTally
  readonly used: Uint8Array
}

const rowsFrom = (backend: Backend, first: number, count: number): Tensor =>
  tensor(
    backend,
    Int32Array.from({ length: count }, (_, i) => first + i),
    [count],
    "i32"
  )

/**
 * Embeddings of the first records of a mixture in the stage's order, their images seen through tower and projector. The
 * caller releases them. Fails with DataUnusable, SampleWorkerFailed and ComputeFailed.
 */
export const embedRecords = Effect.fn("embedRecords")(function* (options: RecordOptions) {
  const { backend, directory, weights, data, documents, compat, stage } = options
  const each = { compat, batch: 1, accumulation: 1, maxSteps: documents, groupByLength: false }
  const optimization = Schema.decodeUnknownSync(OptimizationConfig)(each)
  const source = yield* openStageData({ ...stage, data, optimization })
  const vision = makeVisionFeatures({ backend, config: directory.config, weights, budget: 0 })
  const sequences: Tensor[] = []
  let [tally, used] = [emptyTally, noneUsed(source.count)]
  for (let index = 0; index < source.steps; index++) {
    const batch = yield* source.take(index)
    tally = counted(tally, batch, source.describe)
    used = withUsed(used, batch.made)
    for (const event of substitutions(batch, data.meta, source.describe)) yield* emit(RunEvents.DataSubstituted, event)
    const embedded = computing(async () => {
      const features = await vision.of(batch, index)
      const embeddings = noGrad(() => scope(() => inputEmbeddings({ backend, directory, weights, batch, features })))
      features?.release()
      return embeddings
    })
    sequences.push(yield* owned(embedded, (embeddings) => embeddings.release()))
  }
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
    return { hidden, lengths, seen: { tally, used } }
  })
}, Effect.scoped)
