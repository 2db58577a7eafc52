/** Small training data in a directory: records written here, pictures of data/nano. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { nanoData } from "./nano.ts"

export interface MiniRecord {
  readonly image?: string
  readonly question: string
  readonly answer: string
  readonly length?: number
}

const lineOf = ({ image, question, answer, length }: MiniRecord): string =>
  JSON.stringify({
    ...(image === undefined ? {} : { image }),
    ...(length === undefined ? {} : { length }),
    conversations: [
      { from: "human", value: question },
      { from: "gpt", value: answer }
    ]
  })

/** Writes a data set of lines, records or raw text, and its meta file, which is returned. */
export const writeMiniData = (directory: string, lines: ReadonlyArray<MiniRecord | string>): string => {
  const annotation = join(directory, "mini.jsonl")
  writeFileSync(annotation, lines.map((line) => (typeof line === "string" ? line : lineOf(line))).join("\n"))
  const meta = join(directory, "mini.json")
  writeFileSync(meta, JSON.stringify({ mini: { root: nanoData, annotation: "mini.jsonl" } }))
  return meta
}

/** A record about picture `number` of data/nano. */
export const pictureRecord = (number: number, answer = "red"): MiniRecord => ({
  image: `images/${String(number).padStart(4, "0")}.png`,
  question: "What color is the north object?",
  answer
})

/** Writes a data set of its own pictures, the first `count` of data/nano. Lines are counted from 1. */
export const writeOwnData = (directory: string, count: number) => {
  mkdirSync(join(directory, "images"), { recursive: true })
  const records = Array.from({ length: count }, (_, n) => pictureRecord(n + 1))
  for (const { image = "" } of records) copyFileSync(join(nanoData, image), join(directory, image))
  const meta = writeMiniData(directory, records)
  writeFileSync(meta, JSON.stringify({ mini: { root: directory, annotation: "mini.jsonl", length: count } }))
  return {
    meta,
    annotation: join(directory, "mini.jsonl"),
    run: join(directory, "run"),
    picture: (line: number) => join(directory, records[line - 1]!.image!)
  }
}

/** Removes a line of a file, counted from 1. */
export const withoutLine = (file: string, line: number): void =>
  writeFileSync(
    file,
    readFileSync(file, "utf8")
      .split("\n")
      .filter((_, at) => at !== line - 1)
      .join("\n")
  )
