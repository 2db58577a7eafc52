/** What a stage saw of the records that it calibrates on. */
import { isDeepStrictEqual } from "node:util"
import type { SampleTally } from "../data/SampleTally.ts"

/** What was seen of records, and which were used. */
export interface Seen {
  readonly tally: SampleTally
  /** A bit for each sample of the mixture. */
  readonly used: Uint8Array
}

/** The tally of records that were read again: what took places before remains told of. */
const talliesTogether = (before: SampleTally, now: SampleTally): SampleTally => {
  const past = before.replaced.filter((row) => !now.replaced.some((other) => isDeepStrictEqual(row, other)))
  return {
    ...now,
    substituted: now.substituted + past.reduce((sum, { times }) => sum + times, 0),
    replaced: [...past, ...now.replaced]
  }
}

/**
 * What was seen before and by reading again, where a run is continued: a record that was repaired since stands where another took its
 * place, and the stage has used both.
 */
export const seenTogether = (before: Seen | undefined, now: Seen): Seen =>
  before === undefined
    ? now
    : {
        tally: talliesTogether(before.tally, now.tally),
        used: now.used.map((bits, at) => bits | before.used[at]!)
      }
