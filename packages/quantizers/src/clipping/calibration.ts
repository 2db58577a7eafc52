/**
 * Calibration text for the clipping search (docs/method.md, "Clipping search"): documents of a file, shuffled by a
 * seed, the first short ones of them joined and cut into blocks of tokens.
 */
import { parseJson } from "@speedq/formats"
import { Random } from "@speedq/tensors"
import { CalibrationEmpty, CalibrationInvalid } from "../Errors.ts"

/** What of a file is a document. */
export type DocumentFormat = "jsonl" | "text"

const isRecord = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Text of one JSON line: a string, an object's `text`, or what its `conversations` say. */
const textOf = (value: unknown): string | undefined => {
  if (typeof value === "string") return value
  if (!isRecord(value)) return undefined
  if (typeof value["text"] === "string") return value["text"]
  if (!Array.isArray(value["conversations"])) return undefined
  const turns = value["conversations"].map((turn: unknown) => (isRecord(turn) ? turn["value"] : undefined))
  return turns.every((turn) => typeof turn === "string") ? turns.join("\n") : undefined
}

const parseLine = (source: string, line: string, number: number): string => {
  let value: unknown
  try {
    value = parseJson(line)
  } catch (error) {
    throw new CalibrationInvalid({
      source,
      line: number,
      reason: error instanceof Error ? error.message : String(error)
    })
  }
  const text = textOf(value)
  if (text !== undefined) return text
  const found = isRecord(value)
    ? `an object with ${Object.keys(value).join(", ")}`
    : JSON.stringify(value)?.slice(0, 80)
  const reason = `expected a string, or an object with "text" or "conversations", found ${found}`
  throw new CalibrationInvalid({ source, line: number, reason })
}

/** Documents of a file's content: one a line of JSON, or paragraphs of text. Raises CalibrationInvalid. */
export const documentsOf = (source: string, content: string, format: DocumentFormat): readonly string[] =>
  format === "text"
    ? content.split(/\r?\n\s*\r?\n/)
    : content.split(/\r?\n/).flatMap((line, index) => documentOfLine(source, line, index + 1))

/** The document of one line of JSON, counted from 1; none where the line is empty. Raises CalibrationInvalid. */
export const documentOfLine = (source: string, line: string, number: number): readonly string[] =>
  line.trim() === "" ? [] : [parseLine(source, line, number)]

export interface CalibrationOptions {
  readonly seed: number
  /** Documents that are used, 128. */
  readonly documents: number
  /** Tokens beyond which a document is passed over, 512. */
  readonly longest: number
  /** Tokens of a block, 1024. */
  readonly block: number
}

export const calibrationDefaults: CalibrationOptions = { seed: 42, documents: 128, longest: 512, block: 1024 }

/**
 * Blocks of tokens: documents in the seed's order, stripped, empty ones and those with more than `longest` tokens passed
 * over, the first `documents` joined without separators and cut; what does not fill a block is dropped.
 * Raises CalibrationEmpty when not one block is filled.
 */
export const calibrationBlocks = (
  source: string,
  documents: readonly string[],
  encode: (text: string) => ArrayLike<number>,
  options: Partial<CalibrationOptions> = {}
): readonly Int32Array[] => {
  const { seed, documents: wanted, longest, block } = { ...calibrationDefaults, ...options }
  const tokens: number[] = []
  let used = 0
  for (const index of Random.make(seed, "calibration").permutation(documents.length)) {
    if (used === wanted) break
    const ids = encode(documents[index]!.trim())
    if (ids.length === 0 || ids.length > longest) continue
    tokens.push(...Array.from(ids))
    used++
  }
  const blocks = Math.floor(tokens.length / block)
  if (blocks === 0) throw new CalibrationEmpty({ source, tokens: tokens.length, needed: block })
  return Array.from({ length: blocks }, (_, index) => Int32Array.from(tokens.slice(index * block, (index + 1) * block)))
}
