/** Sample answers with their images, as the report shows them. */
import { type DataFile, type RowImageOptions, rowImages } from "@speedq/evaluation"
import type { Report } from "@speedq/pipeline"
import { encodePng, type RgbImage } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { Evaluation } from "./Evaluation.ts"

/** Answers of a benchmark that are kept for the report, spread evenly over its rows. */
const sampleCount = 6

/** Whether row `place` of `rows` is one of `count` that are spread evenly over them. */
export const isSpread = (place: number, rows: number, count: number): boolean =>
  // The shares of `count` before and after the row lie on two sides of a whole number.
  count >= rows || Math.ceil(((place + 1) * count) / rows) > Math.ceil((place * count) / rows)

/** Whether row `place` of `rows` is one of the samples. */
export const isSample = (place: number, rows: number): boolean => isSpread(place, rows, sampleCount)

/** Longest side in the report, in pixels. */
const side = 320

/** A small copy, lossless: a drawing of a few colours is smaller so than as JPEG. */
const embedded = (description: string) => (image: RgbImage) =>
  Effect.map(encodePng(image, side), (png) => ({
    mediaType: "image/png" as const,
    base64: Buffer.from(png).toString("base64"),
    description
  }))

/** One section a benchmark: image, question, and what every evaluated model answered. */
export const galleries = Effect.fnUntraced(function* (
  files: readonly { readonly data: DataFile; readonly name: string }[],
  evaluations: readonly Evaluation[],
  pictures: RowImageOptions = {}
) {
  const sections: Report.Section[] = []
  for (const { data, name } of files) {
    const answered = evaluations.flatMap(({ title, scores }) =>
      scores.filter((score) => score.data === name).map(({ samples }) => ({ title, samples }))
    )
    const shown = new Set(answered.flatMap(({ samples }) => samples.map(({ index }) => index)))
    const items = yield* Effect.forEach(
      data.rows.filter(({ index }) => shown.has(index)),
      Effect.fnUntraced(function* (row) {
        const question = row.cells.get("question") ?? ""
        const images = yield* Effect.forEach(
          yield* rowImages(data, row, pictures),
          embedded(`image of row ${row.index}`)
        )
        const answers = answered.flatMap(({ title, samples }) =>
          samples
            .filter(({ index }) => index === row.index)
            .map(({ answer, correct }) => ({
              by: title,
              text: answer,
              ...(correct === undefined ? {} : { correct })
            }))
        )
        return { images, question, answers: [{ by: "expected", text: row.cells.get("answer") ?? "" }, ...answers] }
      })
    )
    sections.push({ _tag: "Gallery", title: `Sample answers: ${name}`, items })
  }
  return sections
})
