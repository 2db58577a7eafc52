/** Measures how much the loss depends on tokens of pictures and of text, layer by layer: one pass of each calibration record and back. */
import type { SourceModel } from "@speedq/exports"
import type { Backend } from "@speedq/tensors"
import { weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { visualTokens } from "../calibration/calibration.ts"
import { calibrationFeatures } from "../calibration/calibrationFeatures.ts"
import { eachRecord, type RecordOptions } from "../calibration/records.ts"
import { ComputeFailed, computing } from "../compute/computing.ts"
import type { MicroBatch } from "../data/SampleLoader.ts"
import { nothingToLearn } from "../data/SampleTally.ts"
import { DataUnusable } from "../Errors.ts"
import { type Branch, passBranchGradients } from "./branchGradients.ts"
import { type ByModality, modalities, type Sensitivities } from "./modalityWeights.ts"

interface MeasuringOptions {
  readonly backend: Backend
  /** In full precision. */
  readonly model: Pick<SourceModel, "directory" | "weights">
  readonly records: RecordOptions
}

type Sums = { -readonly [modality in keyof ByModality]: number }
const none = (): Sums => ({ vision: 0, language: 0 })

const countInto = (sums: Sums, visual: Uint8Array): void => {
  for (const isVisual of visual) sums[isVisual ? "vision" : "language"]++
}

/** Adds |g| of a gradient [T, H], in double precision. */
const magnitudesInto = (sums: Sums, gradient: Float32Array, visual: Uint8Array): void => {
  const width = gradient.length / visual.length
  for (const [row, isVisual] of visual.entries()) {
    let total = 0
    for (let at = row * width; at < (row + 1) * width; at++) total += Math.abs(gradient[at]!)
    sums[isVisual ? "vision" : "language"] += total
  }
}

/**
 * Sensitivities of the records' tokens. A record without an answer has no gradient: its tokens are counted, and not averaged over. Fails
 * with NothingToLearn where no record has an answer, with DataUnusable where none with a picture has, and with ComputeFailed.
 */
export const measureSensitivities = Effect.fn("measureSensitivities")(function* (options: MeasuringOptions) {
  const { backend, model, records } = options
  const { directory } = model
  const { config } = directory
  const { hidden_size: width, num_hidden_layers } = config.llm_config
  const weights = weightsFrom(model.weights)
  const { vision, tell } = yield* calibrationFeatures(records.stage.recipe, { backend, config, weights })
  const sums = Array.from({ length: num_hidden_layers }, () => ({ attention: none(), mlp: none() }))
  const [tokens, answered] = [none(), none()]

  const pass = async (record: MicroBatch, visual: Uint8Array, index: number): Promise<void> => {
    const features = await vision.of(record, index)
    const see = (layer: number, branch: Branch, gradient: Float32Array) =>
      magnitudesInto(sums[layer]![branch], gradient, visual)
    await passBranchGradients({ backend, directory, weights, record, features }, see).finally(() => features?.release())
  }

  const { tally } = yield* eachRecord({ ...records, tells: false }, (record, index) => {
    const visual = visualTokens(directory, record)
    countInto(tokens, visual)
    if (record.answerTokens[0] === 0) return Effect.void
    countInto(answered, visual)
    return computing(() => pass(record, visual, index))
  })
  yield* tell
  const nothing = nothingToLearn(tally, records.data, true)
  if (nothing !== undefined) return yield* nothing
  if (tokens.vision > 0 && answered.vision === 0) {
    const reason = `no record of ${records.data.meta} with a picture has an answer: how much tokens of pictures count cannot be measured`
    return yield* new DataUnusable({ reason, fix: "give records with pictures and answers, or leave modalities out" })
  }
  const meanOf = (of: ByModality): ByModality => ({
    vision: answered.vision === 0 ? 0 : of.vision / (answered.vision * width),
    language: of.language / (answered.language * width)
  })
  const layers = sums.map(({ attention, mlp }) => ({ attention: meanOf(attention), mlp: meanOf(mlp) }))
  for (const [layer, branches] of layers.entries()) {
    for (const [branch, means] of Object.entries(branches)) {
      if (modalities.every((modality) => Number.isFinite(means[modality]))) continue
      const reason = `the gradient of the cross entropy at the ${branch} of decoder layer ${layer} is not finite (mean absolute value ${means.vision} over pictures, ${means.language} over text): weights or records hold numbers that are none`
      return yield* new ComputeFailed({ kind: "NonFiniteGradient", reason })
    }
  }
  return { tokens, layers } satisfies Sensitivities
})
