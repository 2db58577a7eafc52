/** Waits for a run directory that another process holds: one that computed the run, and was given up, may still be at it. */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { RunLocked } from "../Errors.ts"

/** Tries again as long as the directory is locked. A lock whose owner is dead is nobody's. */
export const whenUnlocked = <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.retry(work, { while: (error) => error instanceof RunLocked, schedule: Schedule.spaced("1 second") })
