/** What the generator of every data set does with its folder: the flags that name it, and the training set in it. */
import { mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { parseArgs } from "node:util"

/** `--out DIRECTORY [--seed WHOLE_NUMBER]`; ends the process with 2 on wrong usage. */
export const generatorFlags = (shippedSeed: number): { readonly out: string; readonly seed: number } => {
  const { values } = parseArgs({
    options: { out: { type: "string" }, seed: { type: "string", default: String(shippedSeed) } }
  })
  if (values.out === undefined || !/^\d+$/.test(values.seed)) {
    console.error("usage: main.ts --out DIRECTORY [--seed WHOLE_NUMBER]")
    process.exit(2)
  }
  return { out: values.out, seed: Number(values.seed) }
}

export const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
const jsonLines = (records: ReadonlyArray<unknown>): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("")

/** Makes folders in it that hold nothing. */
export const emptyFolders = async (out: string, folders: ReadonlyArray<string>): Promise<void> => {
  for (const folder of folders) {
    await rm(join(out, folder), { recursive: true, force: true })
    await mkdir(join(out, folder), { recursive: true })
  }
}

export interface TrainingSet {
  /** The name of the data set in its meta file. */
  readonly name: string
  readonly records: ReadonlyArray<{ readonly image: string }>
  /** The picture of record `index`. */
  readonly picture: (index: number) => Promise<Uint8Array>
  readonly calibrationTexts: ReadonlyArray<unknown>
  readonly calibrationImages: ReadonlyArray<string>
}

/** Writes pictures, train.jsonl with its meta file, and what is calibrated on. */
export const writeTrainingSet = async (out: string, set: TrainingSet): Promise<void> => {
  const { name, records, picture, calibrationTexts, calibrationImages } = set
  const write = (file: string, content: string | Uint8Array): Promise<void> => writeFile(join(out, file), content)
  for (const [index, { image }] of records.entries()) await write(image, await picture(index))
  await write("train.jsonl", jsonLines(records))
  const meta = { root: ".", annotation: "train.jsonl", data_augment: false, repeat_time: 1, length: records.length }
  await write("datasets.json", json({ [name]: meta }))
  await write("calibration.jsonl", jsonLines(calibrationTexts))
  await write("calibration-images.txt", calibrationImages.map((image) => `${image}\n`).join(""))
}
