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

const int64 = { min: -(2n ** 63n), max: 2n ** 63n - 1n }
const uint64 = { min: 0n, max: 2n ** 64n - 1n }

type Cells = readonly (string | undefined)[]

const integers = (cells: Cells): readonly string[] | "overflow" | undefined => {
  const values: bigint[] = []
  for (const cell of cells) {
    const value = cell === undefined ? undefined : parseInteger(cell)
    if (value === undefined) return undefined
    values.push(value)
  }
  const fits = [int64, uint64].some(({ min, max }) => values.every((value) => value >= min && value <= max))
  return fits ? values.map(String) : "overflow"
}

const floats = (cells: Cells): readonly (string | undefined)[] | undefined => {
  const texts: (string | undefined)[] = []
  for (const cell of cells) {
    const value = cell === undefined ? undefined : parseFloatLikePandas(cell)
    if (cell !== undefined && value === undefined) return undefined
    texts.push(value === undefined ? undefined : floatText(value))
  }
  return texts
}

/**
 * Types a column as `read_csv` and `read_excel` do: integer, else float, else boolean, else text; a missing cell makes
 * integers floats ("1" prints as "1.0") and booleans text. Integers beyond 64 bits stay text.
 */
export const typeColumn = (raw: readonly string[]): PandasColumn => {
  const cells: Cells = raw.map((cell) => (missingTexts.has(cell) ? undefined : cell))
  const whole = integers(cells)
  if (whole === "overflow") return { kind: "text", cells }
  if (whole !== undefined && whole.length > 0) return { kind: "integer", cells: whole }
  const real = floats(cells)
  if (real !== undefined) return { kind: "float", cells: real }
  const logical = cells.map((cell) => (cell === undefined ? undefined : booleans.get(cell)))
  return logical.includes(undefined) ? { kind: "text", cells } : { kind: "boolean", cells: logical }
}
