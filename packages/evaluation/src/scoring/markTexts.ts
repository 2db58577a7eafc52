/** OCRBench: a point for every prediction that contains one of the expected texts. */
import { type AnsweredRow, UnscorableRow } from "../benchmarks/Benchmark.ts"
import type { Row } from "../data/Row.ts"
import { parseStringList } from "../internal/pythonLiteral.ts"
import { floatText } from "../internal/pythonNumber.ts"
import { formulaCategory, readsText } from "../matching/readsText.ts"
import { expectedAnswer } from "./expectedAnswer.ts"
import { groupBy, type Mark, type Marks, type RowMark } from "./Marks.ts"
import type { ScoreFile } from "./ScoreFile.ts"

const recognition = [
  "Regular Text Recognition",
  "Irregular Text Recognition",
  "Artistic Text Recognition",
  "Handwriting Recognition",
  "Digit String Recognition",
  "Non-Semantic Text Recognition"
]
const groups = ["Scene Text-centric VQA", "Doc-oriented VQA", "Key Information Extraction", formulaCategory]

/** The ten categories of OCRBench. */
const ocrCategories: readonly string[] = [...recognition, ...groups]

const expectedTexts = (row: Row): readonly string[] => {
  const cell = expectedAnswer(row)
  try {
    return parseStringList(cell)
  } catch (error) {
    throw new UnscorableRow(row, "answer", (error as Error).message)
  }
}

/** The first of the expected texts: the cell is a list of them. Undefined where it cannot be read, which scoring says. */
export const firstText = (row: Row): string | undefined => {
  try {
    return expectedTexts(row)[0]
  } catch (error) {
    if (error instanceof UnscorableRow) return undefined
    throw error
  }
}

const categoryOf = (row: Row): string => {
  const category = row.cells.get("category")
  if (category === undefined || !ocrCategories.includes(category)) {
    throw new UnscorableRow(
      row,
      "category",
      `"${category ?? ""}" is none of OCRBench's categories: ${ocrCategories.join("; ")}`
    )
  }
  return category
}

const points = (rows: readonly RowMark[]): Mark => ({ score: rows.filter((row) => row.hit).length, rows: rows.length })

/** Points, not percent: the full set has 1000 rows. */
export const markTexts = (rows: readonly AnsweredRow[]): Marks => {
  const marks = rows.map(({ row, prediction }) => {
    const expected = expectedTexts(row)
    const hit = readsText(prediction, expected, categoryOf(row))
    return { row, prediction, extracted: prediction, expected: expected.join(" | "), hit }
  })
  const total = points(marks)
  const whole = { ...total, parts: { "Final Score": total.score, "Final Score Norm": total.score / 10 } }
  const byCategory = new Map(groupBy(marks, categoryOf))
  const text = recognition.flatMap((name) => byCategory.get(name) ?? [])
  const named = [
    ["Text Recognition", text] as const,
    ...ocrCategories.map((name) => [name, byCategory.get(name) ?? []] as const)
  ]
  const categories = named
    .filter(([, group]) => group.length > 0)
    .map(([name, group]) => [name, points(group)] as const)
  return { whole, splits: { none: whole }, categories: { none: Object.fromEntries(categories) }, rows: marks }
}

/** `score.json`: points by group, `Final Score` of 1000, and its tenth. */
export const textsFile = ({ rows }: Marks): ScoreFile => {
  const pointsOf = (categories: readonly string[]): number =>
    rows.filter(({ row, hit }) => hit && categories.includes(categoryOf(row))).length
  const byGroup = [["Text Recognition", recognition] as const, ...groups.map((name) => [name, [name]] as const)]
  const total = pointsOf(ocrCategories)
  const fields = [
    ...byGroup.map(([name, categories]) => [name, String(pointsOf(categories))]),
    ["Final Score", String(total)],
    ["Final Score Norm", floatText(total / 10)]
  ]
  const lines = fields.map(([name, value]) => `    ${JSON.stringify(name)}: ${value}`)
  return { ending: "score.json", text: `{\n${lines.join(",\n")}\n}` }
}
