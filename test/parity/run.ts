/** Finds the fixtures below a directory and checks them, one after the other. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import type { Arithmetic, Backend } from "@speedq/tensors"
import { checks } from "./checks.ts"
import type { Comparison } from "./compare.ts"
import { readFixture } from "./Fixture.ts"

/** What became of one fixture. */
export interface Outcome {
  readonly name: string
  readonly comparisons: readonly Comparison[]
  /** Why it could not be compared at all. */
  readonly failure?: string
}

/** Checkpoints that fixtures are computed with; they expect nothing themselves. */
const inputsOnly = /checkpoint\/model$/

const checkOf = (name: string) => checks.find(({ matches }) => matches.test(name))

/** Paths of all fixtures of an arithmetic below a directory, without ".safetensors", in order. What no check knows is of f32. */
export const fixtureNames = (directory: string, arithmetic: Arithmetic = "f32"): readonly string[] =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .flatMap((file) => (file.endsWith(".safetensors") ? [file.slice(0, -".safetensors".length)] : []))
    .filter((name) => !inputsOnly.test(name) && (checkOf(name)?.arithmetic ?? "f32") === arithmetic)
    .sort()

/** Checks one fixture. A fixture that no check knows, or whose check fails to run, is a failure. */
export const checkFixture = async (directory: string, name: string, backend: Backend): Promise<Outcome> => {
  const check = checkOf(name)
  if (check === undefined) return { name, comparisons: [], failure: "no check knows this fixture" }
  try {
    const comparisons = await check.run(readFixture(join(directory, `${name}.safetensors`)), backend)
    return { name, comparisons, ...(comparisons.length === 0 ? { failure: "nothing was compared" } : {}) }
  } catch (error) {
    return { name, comparisons: [], failure: error instanceof Error ? error.message : String(error) }
  }
}

/** Whether everything was compared and near enough. */
export const passed = ({ comparisons, failure }: Outcome): boolean =>
  failure === undefined && comparisons.every(({ ok }) => ok)

const inUnits = ({ what, error }: Comparison): string => `${what} ${error.toPrecision(3)} of the tolerance`

/** One line with the largest error, and a few of what missed. */
export const describeOutcome = (outcome: Outcome): string => {
  const { name, comparisons, failure } = outcome
  if (failure !== undefined) return `MISS ${name}: ${failure}`
  const worst = comparisons.reduce((a, b) => (b.error > a.error ? b : a))
  const difference = `difference ${worst.difference.toExponential(2)}`
  const verdict = passed(outcome) ? "ok  " : "MISS"
  const line = `${verdict} ${name}: ${comparisons.length} comparisons, worst ${inUnits(worst)} (${difference})`
  const misses = comparisons.filter(({ ok }) => !ok).slice(0, 5)
  return [line, ...misses.map((miss) => `     ${inUnits(miss)}`)].join("\n")
}
