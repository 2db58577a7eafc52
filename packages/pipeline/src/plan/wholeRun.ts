/** How far a whole run is: its stages, each weighed by the seconds that it was expected to take. */

/** One stage of a run. */
export interface StagePart {
  /** What of it is done, 0 to 1. */
  readonly share: number
  /** Seconds that all of it was expected to take when the run began; undefined where that is unknown. */
  readonly seconds: number | undefined
  /** Milliseconds that are left of it by the rate of its own steps; undefined before that is known. */
  readonly left?: number | undefined
}

/** What is known of the whole: the share that is done, and the milliseconds left. */
export interface WholeRun {
  readonly share: number | undefined
  readonly left: number | undefined
}

const leftOf = ({ share, seconds, left }: StagePart): number | undefined => {
  if (share >= 1) return 0
  return left ?? (seconds === undefined ? undefined : 1000 * seconds * (1 - share))
}

/** The sum, unless one of them is unknown. */
const sum = (values: ReadonlyArray<number | undefined>): number | undefined =>
  values.reduce((all, value) => (all === undefined || value === undefined ? undefined : all + value), 0)

/** Nothing is guessed: a share needs the time of every stage, the time left that of every stage which is not finished. */
export const wholeRun = (parts: ReadonlyArray<StagePart>): WholeRun => {
  const all = sum(parts.map(({ seconds }) => seconds))
  const done = sum(parts.map(({ seconds, share }) => (seconds === undefined ? undefined : seconds * share)))
  return {
    share: all === undefined || done === undefined || all === 0 ? undefined : done / all,
    left: sum(parts.map(leftOf))
  }
}

/** Milliseconds left at the rate of `done` steps in `milliseconds`; undefined before the first of them is done. */
export const leftAtRate = (milliseconds: number, done: number, remaining: number): number | undefined =>
  done > 0 && milliseconds > 0 ? (milliseconds / done) * remaining : undefined
