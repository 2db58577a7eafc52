/** What the shipped files contain, as functions of the seed. */
import { Random } from "@speedq/tensors"
import { renderedText } from "../../common/samples.ts"
import { captionItems, type EvaluationItem, shortItems } from "./evaluation.ts"
import { conversation, makeSample, type Sample } from "./sample.ts"

export const shippedSeed = 1
const trainingImages = 2000
const calibrationImages = 512
const calibrationDocuments = 256
const shortRowsPerTypeAndLanguage = 40
const captionRowsPerLanguage = 150

const imageName = (index: number): string => `images/${String(index).padStart(4, "0")}.png`

/** The samples of train.jsonl. */
export const trainingSamples = (seed: number): ReadonlyArray<Sample> => {
  const random = Random.make(seed, "train")
  return Array.from({ length: trainingImages }, () => makeSample(random))
}

/** One LLaVA-style record per sample. */
export const trainingRecords = (samples: ReadonlyArray<Sample>) =>
  samples.map((sample, index) => ({ id: index, image: imageName(index), conversations: conversation(sample) }))

/** The training images that block reconstruction of the vision tower reads. */
export const calibrationImageNames: ReadonlyArray<string> = Array.from({ length: calibrationImages }, (_, index) =>
  imageName(index)
)

/** Text for the clipping search: conversations as the chat template renders them, without their images. */
export const calibrationTexts = (seed: number): ReadonlyArray<{ readonly text: string }> => {
  const random = Random.make(seed, "calibration")
  return Array.from({ length: calibrationDocuments }, () => ({ text: renderedText(conversation(makeSample(random))) }))
}

/** The rows of evaluation/short.tsv and evaluation/caption.tsv. */
export const evaluationSets = (seed: number): Readonly<Record<"short" | "caption", ReadonlyArray<EvaluationItem>>> => ({
  short: shortItems(Random.make(seed, "evaluation short"), shortRowsPerTypeAndLanguage),
  caption: captionItems(Random.make(seed, "evaluation caption"), captionRowsPerLanguage)
})
