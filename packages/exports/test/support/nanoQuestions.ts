/** Questions of the nano model: one of each kind in each language, with its picture. */
import { readFileSync } from "node:fs"

export interface NanoQuestion {
  readonly kind: string
  readonly question: string
  /** PNG. */
  readonly picture: Uint8Array
}

const rowsOf = (name: string): readonly Readonly<Record<string, string>>[] => {
  const file = new URL(`../../../../data/nano/evaluation/${name}`, import.meta.url)
  const [head = [], ...lines] = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => line.split("\t"))
  return lines.map((cells) => Object.fromEntries(cells.map((cell, at) => [head[at]!, cell])))
}

const letters = ["A", "B", "C", "D"]

const questionOf = (row: Readonly<Record<string, string>>): NanoQuestion => {
  const options = letters.filter((letter) => row[letter]).map((letter) => `${letter}. ${row[letter]}`)
  return {
    kind: row["category"]!,
    question: [row["question"], ...options].join("\n"),
    picture: Buffer.from(row["image"]!, "base64")
  }
}

/** Kinds in the order of the files, English before Chinese. */
export const nanoQuestions = (): readonly NanoQuestion[] => {
  const rows = [...rowsOf("short.tsv"), ...rowsOf("caption.tsv")]
  const kinds = [...new Set(rows.map((row) => row["category"]))]
  return kinds.flatMap((kind) =>
    ["en", "zh"].map((language) =>
      questionOf(rows.find((row) => row["category"] === kind && row["l2-category"] === language)!)
    )
  )
}
