/** How pandas types a column of text cells, and what `str(cell)` then prints: the text that prompts and matchers see. */
import { floatText, parseFloatLikePandas, parseInteger } from "./pythonNumber.ts"

/** Cells that pandas >= 2.0 takes for missing, compared with the whole cell, quoted or not. */
export const missingTexts: ReadonlySet<string> = new Set([
  ...["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"],
  ...["N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
])

/** A typed column: `cells` are the `str()` of the values, undefined where missing. */
export interface PandasColumn {
  readonly kind: "integer" | "float" | "boolean" | "text"
  readonly cells: readonly (string | undefined)[]
}

const booleans = new Map([
  ...["True", "TRUE", "true"].map((text) => [text, "True"] as const),
  ...["False", "FALSE", "false"].map((text) => [text, "False"] as const)
])

type Cells = readonly (string | undefined)[]

const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }
const maxUint64 = 2n ** 64n - 1n

/** Integers as far as the column has nothing else; "overflow" when 64 bits do not hold them. */
const integers = (cells: Cells): readonly (bigint | undefined)[] | "overflow" | undefined => {
  const values: (bigint | undefined)[] = []
  let [signed, unsigned, tooSmall] = [false, false, false]
  for (const cell of cells) {
    const value = cell === undefined ? undefined : parseInteger(cell)
    if (cell !== undefined && value === undefined) return undefined
    values.push(value)
    if (value === undefined) continue
    if (value > maxUint64) return "overflow"
    if (value < 0n) signed = true
    if (value < int64.min) tooSmall = true
    if (value > int64.max) unsigned = true
  }
  // The unsigned type has neither negative nor missing values.
  return tooSmall || (unsigned && (signed || values.includes(undefined))) ? "overflow" : values
}

const floats = (cells: Cells): Cells | undefined => {
  const texts: (string | undefined)[] = []
  for (const cell of cells) {
    const value = cell === undefined ? undefined : parseFloatLikePandas(cell)
    if (cell !== undefined && value === undefined) return undefined
    texts.push(value === undefined ? undefined : floatText(value))
  }
  return texts
}

/**
 * Types a column as `read_csv` and `read_excel` do: integer, else float, else boolean, else text. A missing cell makes
 * integers floats ("1" prints as "1.0"); integers beyond 64 bits stay text.
 */
export const typeColumn = (raw: readonly string[]): PandasColumn => {
  const cells: Cells = raw.map((cell) => (missingTexts.has(cell) ? undefined : cell))
  const whole = cells.some((cell) => cell !== undefined) ? integers(cells) : undefined
  if (whole === "overflow") return { kind: "text", cells }
  if (whole !== undefined) {
    if (!whole.includes(undefined)) return { kind: "integer", cells: whole.map(String) }
    return { kind: "float", cells: whole.map((value) => (value === undefined ? value : floatText(Number(value)))) }
  }
  const real = floats(cells)
  if (real !== undefined) return { kind: "float", cells: real }
  const logical = cells.map((cell) => (cell === undefined ? undefined : booleans.get(cell)))
  const allLogical = cells.every((cell, i) => cell === undefined || logical[i] !== undefined)
  return allLogical ? { kind: "boolean", cells: logical } : { kind: "text", cells }
}
