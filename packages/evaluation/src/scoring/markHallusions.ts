/** HallusionBench: yes/no answers, right per question (aAcc), per figure (fAcc) and per question over figures (qAcc). */
import { type AnsweredRow, UnscorableRow } from "../Benchmark.ts"
import { extractYesNo } from "../matching/yesNo.ts"
import type { Row } from "../Row.ts"
import { expectedAnswer } from "./expectedAnswer.ts"
import { groupBy, type Mark, type Marks, type RowMark, summarize } from "./Marks.ts"

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

const percentAllHit = (groups: readonly (readonly RowMark[])[]): number =>
  (100 * groups.filter((group) => group.every((row) => row.hit)).length) / groups.length

const mark = (rows: readonly RowMark[]): Mark => {
  const per = (part: "figure" | "question") => percentAllHit(groupBy(rows, groupKey(part)).map(([, group]) => group))
  const [aAcc, fAcc, qAcc] = [percentAllHit(rows.map((row) => [row])), per("figure"), per("question")]
  return { score: (aAcc + fAcc + qAcc) / 3, rows: rows.length, parts: { aAcc, fAcc, qAcc } }
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
