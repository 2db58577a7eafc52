/** HallusionBench: yes/no answers, right per question (aAcc), per figure (fAcc) and per question over figures (qAcc). */
import { type AnsweredRow, UnscorableRow } from "../benchmarks/Benchmark.ts"
import type { Row } from "../data/Row.ts"
import { extractYesNo } from "../matching/yesNo.ts"
import { expectedAnswer } from "./expectedAnswer.ts"
import { groupBy, type Mark, type Marks, type RowMark, summarize } from "./Marks.ts"
import { csvText, type ScoreFile } from "./ScoreFile.ts"

/** Position of an id in the index `{VD|VS}_{subcategory}_{visual input}_{set}_{figure}_{question}`. */
const position = { set: 3, figure: 4, question: 5 }

const groupKey =
  (part: "figure" | "question") =>
  (row: Row): string => {
    const ids = row.index.split("_")
    if (ids.length <= position.question) {
      throw new UnscorableRow(
        row,
        "index",
        `"${row.index}" has no set, figure and question ids (six parts between "_")`
      )
    }
    return `${row.cells.get("l2-category") ?? "nan"}_${ids[position.set]}_${ids[position[part]]}`
  }

// The share before the percent: the other order differs in the last digit from VLMEvalKit's.
const percentAllHit = (groups: readonly (readonly RowMark[])[]): number =>
  100 * (groups.filter((group) => group.every((row) => row.hit)).length / groups.length)

const accuracies = (rows: readonly RowMark[]) => {
  const per = (part: "figure" | "question") => percentAllHit(groupBy(rows, groupKey(part)).map(([, group]) => group))
  return { aAcc: percentAllHit(rows.map((row) => [row])), fAcc: per("figure"), qAcc: per("question") }
}

const mark = (rows: readonly RowMark[]): Mark => {
  const parts = accuracies(rows)
  const { aAcc, fAcc, qAcc } = parts
  return { score: (aAcc + fAcc + qAcc) / 3, rows: rows.length, parts }
}

/** The score is the mean of the three accuracies. */
export const markHallusions = (rows: readonly AnsweredRow[]): Marks => {
  const marks = rows.map(({ row, prediction }) => {
    const expected = expectedAnswer(row)
    const extracted = extractYesNo(prediction)
    return { row, prediction, extracted, expected, hit: extracted === expected }
  })
  return summarize(marks, mark)
}

/** `score.csv`: a row for all, for each category, for each level-2 category; percent. */
export const hallusionsFile = ({ rows }: Marks): ScoreFile => {
  const groups = ["category", "l2-category"].flatMap((column) => groupBy(rows, (row) => row.cells.get(column)))
  const lines = [["Overall", rows] as const, ...groups].map(([name, group]) => {
    const { aAcc, fAcc, qAcc } = accuracies(group)
    return [name, aAcc, fAcc, qAcc] as const
  })
  return { ending: "score.csv", text: csvText(["split", "aAcc", "fAcc", "qAcc"], lines) }
}
