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

/** The rows as a table with a header and a line of sums. */
export const renderPlan = (rows: readonly PlanRow[]): string => {
  const header = ["layer", "shape", "rule", "quantizer", "bits/weight", "bytes"]
  const body = rows.map(({ layer, shape, rule, match, quantizer, options, bitsPerWeight, bytes }) => [
    layer,
    shape.join("x"),
    rule === null ? "-" : `${rule} ${match}`,
    quantizer === null ? "stays" : `${quantizer} ${optionText(options)}`.trimEnd(),
    shortNumber(bitsPerWeight),
    String(bytes)
  ])
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0)
  const weights = rows.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
  const total = [
    `${rows.length} layers`,
    `${weights} weights`,
    "",
    "",
    weights === 0 ? "" : shortNumber((8 * bytes) / weights),
    String(bytes)
  ]
  return aligned([header, ...body, total], new Set([4, 5]))
}
