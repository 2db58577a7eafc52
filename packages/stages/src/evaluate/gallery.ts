/** Sample answers with their images, as the report shows them: those that got worse or better by quantization, and some others. */
import { answerOf, type Benchmark, type DataRow, optionsOf, type RowImageOptions, rowImages } from "@speedq/evaluation"
import type { Report } from "@speedq/pipeline"
import { encodePng, type RgbImage } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { Asked } from "./askedRows.ts"
import type { BenchmarkScore, Evaluation } from "./Evaluation.ts"
import { referenceOf } from "./resultSections.ts"

/** Samples of a benchmark that got worse, that got better, and of all others, each spread evenly over its rows. */
const mostOfEach = 6

/** Whether row `place` of `rows` is one of `count` that are spread evenly over them. */
export const isSpread = (place: number, rows: number, count: number): boolean =>
  // The shares of `count` before and after the row lie on two sides of a whole number.
  count >= rows || Math.ceil(((place + 1) * count) / rows) > Math.ceil((place * count) / rows)

/** Longest side in the report, in pixels. */
const side = 320

/** A small copy, lossless: a drawing of a few colours is smaller so than as JPEG. */
const embedded = (description: string) => (image: RgbImage) =>
  Effect.map(encodePng(image, side), (png) => ({
    mediaType: "image/png" as const,
    base64: Buffer.from(png).toString("base64"),
    description
  }))

type Answered = BenchmarkScore["answers"][number]
interface ByModel {
  readonly title: string
  readonly answers: ReadonlyMap<string, Answered>
}

/** How the answer to a row changed from one model to another, where both were judged. */
export const outcomeOf = (before: Answered | undefined, after: Answered | undefined): string | undefined => {
  if (before?.correct === undefined || after?.correct === undefined) return undefined
  if (before.correct === after.correct) return before.correct ? "right before and after" : "wrong before and after"
  return after.correct ? "got better" : "got worse"
}

/** What every evaluated model answered to one benchmark. */
const answersTo = (name: string, evaluations: readonly Evaluation[]): readonly ByModel[] =>
  evaluations.flatMap(({ title, scores }) =>
    scores
      .filter(({ data }) => data === name)
      .map(({ answers }) => ({ title, answers: new Map(answers.map((each) => [each.index, each])) }))
  )

/** One section a benchmark: image, question, and what every evaluated model answered. */
export const galleries = Effect.fnUntraced(function* (
  benchmarks: readonly Pick<Asked, "benchmark" | "data" | "name">[],
  evaluations: readonly Evaluation[],
  pictures: RowImageOptions = {}
) {
  const reference = referenceOf(evaluations)
  const sections: Report.Section[] = []
  for (const { benchmark, data, name } of benchmarks) {
    const models = answersTo(name, evaluations)
    const [before] = reference === undefined ? models : answersTo(name, [reference])
    const outcome = ({ index }: DataRow) => outcomeOf(before?.answers.get(index), models.at(-1)?.answers.get(index))
    const asked = data.rows.filter(({ index }) => models.some(({ answers }) => answers.has(index)))
    const items = yield* Effect.forEach(
      chosen(asked, outcome),
      Effect.fnUntraced(function* (row) {
        const images = yield* Effect.forEach(
          yield* rowImages(data, row, pictures),
          embedded(`image of row ${row.index}`)
        )
        return { images, ...words(benchmark, row, models, outcome(row)) }
      })
    )
    sections.push({ _tag: "Gallery", title: `Sample answers: ${name}`, items })
  }
  return sections
})

/** Rows of each outcome, in the order of the file. */
const chosen = (rows: readonly DataRow[], outcome: (row: DataRow) => string | undefined): readonly DataRow[] => {
  const changed = ["got worse", "got better"]
  const groups = [
    ...changed.map((tag) => rows.filter((row) => outcome(row) === tag)),
    rows.filter((row) => !changed.includes(outcome(row) ?? ""))
  ]
  return groups.flatMap((group) => group.filter((_, place) => isSpread(place, group.length, mostOfEach)))
}

const words = (benchmark: Benchmark, row: DataRow, models: readonly ByModel[], outcome: string | undefined) => {
  const kind = row.cells.get("category")
  const options = [...optionsOf(row)].map(([letter, text]) => `${letter}. ${text}`)
  return {
    question: row.cells.get("question") ?? "",
    ...(options.length === 0 ? {} : { options }),
    expected: answerOf(benchmark, row) ?? "",
    tags: [...(outcome === undefined ? [] : [outcome]), ...(kind === undefined || kind === "" ? [] : [kind])],
    answers: models.flatMap(({ title, answers }) => {
      const found = answers.get(row.index)
      if (found === undefined) return []
      return [{ by: title, text: found.answer, ...(found.correct === undefined ? {} : { correct: found.correct }) }]
    })
  }
}
