/** What the generated files contain, as functions of the seed. */
import { Random } from "@speedq/tensors"
import type { RgbImage } from "@speedq/vlm-model"
import { renderedText } from "../../common/samples.ts"
import { enlarged } from "./enlarged.ts"
import { captionItems, type EvaluationItem, shortItems } from "./evaluation.ts"
import { renderScene } from "./renderScene.ts"
import type { Split } from "./Scene.ts"
import { conversation, makeSample, mixtures, type Sample } from "./sample.ts"

export const shippedSeed = 1
const trainingImages = 4000
const calibrationImages = 512
const calibrationDocuments = 256
const shortRowsPerTypeAndLanguage = 50
const captionRowsPerLanguage = 150

const imageName = (index: number): string => `images/${String(index).padStart(4, "0")}.png`

/** The samples of train.jsonl. */
export const trainingSamples = (seed: number, count = trainingImages): ReadonlyArray<Sample> => {
  const random = Random.make(seed, "train")
  return Array.from({ length: count }, () => makeSample(random, mixtures.shipped))
}

/** Every eighth training picture is shown twice as large where it has one tile, as the pictures of some benchmarks are. */
const enlargedEvery = 8

/** The picture of a training sample. */
export const trainingPicture = ({ scene }: Sample, index: number): RgbImage => {
  const picture = renderScene(scene)
  return index % enlargedEvery === enlargedEvery - 1 && scene.layout === "single" ? enlarged(picture) : picture
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
  return Array.from({ length: calibrationDocuments }, () => ({
    text: renderedText(conversation(makeSample(random, mixtures.shipped)))
  }))
}

/** The rows of short.tsv and caption.tsv in the folder of a split. */
export const evaluationSets = (
  seed: number,
  split: Exclude<Split, "train">
): Readonly<Record<"short" | "caption", ReadonlyArray<EvaluationItem>>> => ({
  short: shortItems(Random.make(seed, `${split} short`), split, shortRowsPerTypeAndLanguage),
  caption: captionItems(Random.make(seed, `${split} caption`), split, captionRowsPerLanguage)
})
