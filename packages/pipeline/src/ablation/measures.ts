/** The numbers that runs of an ablation are compared by. */
import type { Estimate } from "./estimate.ts"

/** What one run gave. */
export interface Scored<Result> {
  readonly variant: string
  readonly seed: number
  readonly result: Result
  /** Time that its stages took, in milliseconds, without those that judge; null where it is unknown. */
  readonly milliseconds: number | null
}

/** A number that every run has: its name, how it is read, and how it is written. */
export interface Measure<Result> {
  readonly name: string
  readonly of: (result: Result) => number | null
  readonly write: (value: number) => string
  /** Follows from the variant alone, as its size does: no difference from another variant is taken. */
  readonly fixed?: boolean
}

/** A variant's numbers by seed; seeds whose run has none are left out. */
export const valuesOf = <Result>(
  scored: readonly Scored<Result>[],
  variant: string,
  { of }: Measure<Result>
): ReadonlyMap<number, number> =>
  new Map(
    scored.flatMap((run) => {
      const value = run.variant === variant ? of(run.result) : null
      return value === null ? [] : [[run.seed, value] as const]
    })
  )

/** `96.8 ± 0.5`, without its error for a single value; `sign` stands before what is above zero. */
export const written = (found: Estimate | undefined, { write }: Pick<Measure<never>, "write">, sign = ""): string => {
  if (found === undefined) return ""
  const mean = `${found.mean > 0 ? sign : ""}${write(found.mean)}`
  return found.standardError === undefined ? mean : `${mean} ± ${write(found.standardError)}`
}
