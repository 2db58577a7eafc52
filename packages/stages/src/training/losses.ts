/** The losses that a training stage adds up, and the teacher's confidence, which they may depend on. */
import {
  cakldLoss,
  crossEntropyLoss,
  decodeLoss,
  hiddenPart,
  type Loss,
  type LossChoice,
  type LossSpec,
  meanConfidence,
  type RowLoss,
  weighted
} from "@speedq/distillation"
import type { Report } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { deciding } from "../extensions/deciding.ts"
import { Extensions } from "../extensions/Extensions.ts"
import type { LossSettings } from "./LossConfig.ts"

/** A loss, `factor` times as strong. */
interface WeightedLoss extends LossChoice {
  readonly factor: number
}

export interface Losses {
  readonly settings: LossSettings
  /** CAKLD and cross entropy, and what the recipe adds to them. */
  readonly ours: readonly WeightedLoss[]
  readonly others: readonly WeightedLoss[]
}

/** Ours, as a recipe would name them. */
const ourSpecs = ({ crossEntropy, labelSmoothing, cakld, temperature, mask, reduction }: LossSettings) => [
  { use: crossEntropyLoss.id, factor: crossEntropy, with: { labelSmoothing } },
  { use: cakldLoss.id, factor: cakld, with: { temperature, mask, reduction } }
]

/** Names of the losses that are added: those with a factor. */
export const namedLosses = (settings: LossSettings): readonly string[] =>
  [...ourSpecs(settings), ...settings.others].filter(({ factor }) => factor > 0).map(({ use }) => use)

/** Names of numbers that a step has besides the parts of its loss. */
const taken = ["loss", "gradientNorm", "learningRate", "confidence", hiddenPart]

interface FactorSpec extends LossSpec {
  readonly factor: number
}

const partOf = ({ loss, config }: LossChoice): string => loss.rowLoss(config, { confidence: 1 }).name

const decode = (spec: FactorSpec, known: readonly Loss[]): WeightedLoss => {
  const choice = decodeLoss(spec, known)
  const part = partOf(choice)
  if (!taken.includes(part)) return { ...choice, factor: spec.factor }
  throw new Error(
    `loss "${spec.use}" calls its part "${part}", as another number of every step is called; name it otherwise`
  )
}

/** Throws where two losses call their parts the same: metrics have one number of a name. */
const checkParts = (losses: readonly WeightedLoss[]): void => {
  const owners = new Map<string, string>()
  for (const choice of losses) {
    const { id } = choice.loss
    const part = partOf(choice)
    const owner = owners.get(part)
    if (owner !== undefined) throw new Error(sharedPart(part, owner, id))
    owners.set(part, id)
  }
}

const sharedPart = (part: string, first: string, second: string): string =>
  first === second
    ? `loss "${first}" is there twice, and both call their part "${part}"; leave one out and add up the factors, or name their parts otherwise`
    : `losses "${first}" and "${second}" both call their part "${part}"; name one of them otherwise, or give one of them factor 0`

const allOf = ({ ours, others }: Losses): readonly WeightedLoss[] => [...ours, ...others]

/** Finds the losses; a factor of 0 leaves one out. Fails with RulesInvalid: an unknown one, wrong options, or parts of one name. */
export const chooseLosses = Effect.fnUntraced(function* (settings: LossSettings) {
  const known = (yield* Extensions).losses
  const chosen = (specs: readonly FactorSpec[]) =>
    deciding(() => specs.filter(({ factor }) => factor > 0).map((spec) => decode(spec, known)))
  const losses: Losses = {
    settings,
    ours: yield* chosen(ourSpecs(settings)),
    others: yield* chosen(settings.others)
  }
  yield* deciding(() => checkParts(allOf(losses)))
  return losses
})

const readsTeacherLogits = (losses: Losses): boolean =>
  allOf(losses).some(({ loss, config }) => loss.needsTeacher(config))

export const needsTeacher = (losses: Losses): boolean => losses.settings.hidden > 0 || readsTeacherLogits(losses)

/** Whether beta has to be measured before training. */
export const measuresConfidence = (losses: Losses): boolean =>
  readsTeacherLogits(losses) && losses.settings.confidence === "teacher"

/** Micro-batches that beta is measured on, of those that there are. */
export const measuredBatches = ({ settings }: Losses, available: number): number => {
  const { confidenceBatches, confidenceMean } = settings
  return Math.min(available, confidenceMean === "reference" ? confidenceBatches + 1 : confidenceBatches)
}

/** beta, out of what was measured. */
export const confidenceOf = ({ settings }: Losses, measured: readonly number[]): number => {
  const { confidence, confidenceBatches, confidenceMean } = settings
  if (confidence !== "teacher") return confidence
  return meanConfidence(measured, confidenceMean === "reference" ? confidenceBatches : undefined)
}

/** The losses of a step. */
export const rowLosses = (losses: Losses, confidence: number): readonly RowLoss[] =>
  allOf(losses).map(({ loss, config, factor }) => weighted(factor, loss.rowLoss(config, { confidence })))

/** What the report says of a loss that is not ours. */
const toldOf = ({ loss, factor }: WeightedLoss): string => `Loss "${loss.id}", factor ${factor}: ${loss.description}.`

/** What the report says of the losses. */
export const lossSection = (losses: Losses, confidence: number): Report.Section => {
  const { settings, others } = losses
  const measured = measuresConfidence(losses) ? ", the teacher's mean confidence" : ""
  const reader = settings.cakld > 0 ? "CAKLD" : "A teacher"
  // Only the reference's mean can be that large (docs/quirks.md#quirk-2).
  const above = confidence > 1 ? ", above 1: the forward divergence counts against the loss" : ""
  const told = needsTeacher(losses)
    ? `${reader} with beta = ${confidence.toFixed(4)}${measured}${above}.`
    : "Without teacher."
  return { _tag: "Text", title: "Losses", paragraphs: [told, ...others.map(toldOf)] }
}
