/** A plan as a person reads it: layer -> rule -> quantizer -> bits -> bytes, as data and as text. */
import { sizeOf } from "@speedq/tensors"
import { encodeChoice } from "../quantizer/registry.ts"
import { type Plan, plainBits, type Rule } from "./Rules.ts"

/** One layer of a plan in plain JSON. */
export interface PlanRow {
  readonly layer: string
  readonly tower: string
  readonly shape: readonly number[]
  /** Index and pattern of the rule that decided; null where none did and the layer stays in 16 bits. */
  readonly rule: number | null
  readonly match: string | null
  readonly quantizer: string | null
  readonly options: unknown
  readonly bitsPerWeight: number
  readonly bytes: number
}

/** A row a layer: first the planned ones, then those that no rule matched. `rules` are the ones the plan was made of. */
export const planRows = (plan: Plan, rules: readonly Rule[]): readonly PlanRow[] => [
  ...plan.layers.map(({ name, tower, shape, rule, choice, bitsPerWeight, bytes }): PlanRow => {
    const { use, with: options } = encodeChoice(choice)
    const { match } = rules[rule]!
    return { layer: name, tower, shape, rule, match, quantizer: use, options, bitsPerWeight, bytes }
  }),
  ...plan.unmatched.map(({ name, tower, shape }): PlanRow => {
    const bytes = (sizeOf(shape) * plainBits) / 8
    const nothing = { rule: null, match: null, quantizer: null, options: null }
    return { layer: name, tower, shape, ...nothing, bitsPerWeight: plainBits, bytes }
  })
]

/** Rows that differ in the number of their block alone, as one: their numbers, how many they are, and their bytes together. */
interface PlanGroup extends PlanRow {
  readonly count: number
}

/** Numbers in ascending order as ranges: `0-3,5`. */
const ranges = (numbers: readonly number[]): string => {
  const runs: [number, number][] = []
  for (const number of numbers) {
    const last = runs.at(-1)
    if (last !== undefined && number === last[1] + 1) last[1] = number
    else runs.push([number, number])
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",")
}

/** The number of a layer's block: the first part of its name that is a number and is followed by others. */
const blockNumber = /\.(\d+)(?=\.)/

/** Groups in the order of their first rows. */
const groupRows = (rows: readonly PlanRow[]): readonly PlanGroup[] => {
  const groups = new Map<string, PlanRow[]>()
  for (const row of rows) {
    const { layer, bytes: _, ...same } = row
    const key = JSON.stringify([layer.replace(blockNumber, "."), same])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return [...groups.values()].map((group) => {
    const [first] = group as [PlanRow]
    const numbers = group.flatMap(({ layer }) => blockNumber.exec(layer)?.[1] ?? []).map(Number)
    const layer = first.layer.replace(blockNumber, `.${ranges(numbers.sort((a, b) => a - b))}`)
    return { ...first, layer, count: group.length, bytes: group.reduce((sum, { bytes }) => sum + bytes, 0) }
  })
}

/** Options as `bits=2 group=16`, strings and numbers as they are. */
const optionText = (options: unknown): string =>
  Object.entries((options ?? {}) as { readonly [option: string]: unknown })
    .map(([option, value]) => `${option}=${value}`)
    .join(" ")

/** At most 4 decimals, and none that say nothing. */
const shortNumber = (value: number): string => String(Number(value.toFixed(4)))

/** Columns of equal width, two spaces between; `numeric` ones are flush right. */
const aligned = (rows: readonly (readonly string[])[], numeric: ReadonlySet<number>): string => {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)))
  const cell = (text: string, column: number) =>
    numeric.has(column) ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n")
}

/**
 * The rows as a table with a header and a line of sums: layers that differ in the number of their block alone are one line, unless
 * `each` asks for a line for every layer.
 */
export const renderPlan = (rows: readonly PlanRow[], { each = false }: { readonly each?: boolean } = {}): string => {
  const header = ["layer", "layers", "shape", "rule", "quantizer", "bits/weight", "bytes"]
  const lines = each ? rows.map((row): PlanGroup => ({ ...row, count: 1 })) : groupRows(rows)
  const body = lines.map(({ layer, count, shape, rule, match, quantizer, options, bitsPerWeight, bytes }) => [
    layer,
    String(count),
    shape.join("x"),
    rule === null ? "-" : `${rule} ${match}`,
    quantizer === null ? "stays" : `${quantizer} ${optionText(options)}`.trimEnd(),
    shortNumber(bitsPerWeight),
    String(bytes)
  ])
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0)
  const weights = rows.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const total = [
    "all",
    String(rows.length),
    `${weights} weights`,
    "",
    "",
    weights === 0 ? "" : shortNumber((8 * bytes) / weights),
    String(bytes)
  ]
  return aligned([header, ...body, total], new Set([1, 5, 6]))
}
