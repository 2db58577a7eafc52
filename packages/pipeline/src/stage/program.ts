/** Makes the programs of stages: what `begin` returns. */
import * as Effect from "effect/Effect"
import { type Codec, nothing } from "./Codec.ts"
import type { Outcome, Program, Stepped } from "./contract.ts"

/** A program from its parts, whose types follow from `state`; errors and services may differ from part to part. */
export const program = <S, Out, E1, R1, E2, R2, E3, R3, E4, R4>(parts: {
  readonly steps: number
  readonly state: Codec<S, E1, R1>
  readonly initial: Effect.Effect<S, E2, R2>
  readonly step: (state: S, done: number) => Effect.Effect<Stepped<S, E3, R3>, E3, R3>
  readonly isIntact?: () => boolean
  readonly standing?: (state: S) => number
  readonly finish: (state: S) => Effect.Effect<Outcome<Out>, E4, R4>
}): Program<S, Out, E1 | E2 | E3 | E4, R1 | R2 | R3 | R4> => parts

/** A program without steps: everything happens at the end. */
export const once = <Out, E, R>(work: Effect.Effect<Outcome<Out>, E, R>): Program<void, Out, E, R> => ({
  steps: 0,
  state: nothing,
  initial: Effect.void,
  step: () => Effect.succeed({ state: undefined, metrics: {} }),
  finish: () => work
})
