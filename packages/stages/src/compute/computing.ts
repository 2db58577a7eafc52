/** Numeric work as an effect: what backends and numeric code raise becomes one typed failure. */
import { isRaised } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** Memory, a kernel, or numbers that a computation cannot go on with. The message is the numeric code's own. */
export class ComputeFailed extends Schema.TaggedError<ComputeFailed>()("ComputeFailed", {
  /** The error's name: OutOfMemory, KernelFailure, NonFiniteWeight, ... */
  kind: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

type Outcome<A> = { readonly value: A } | { readonly failure: ComputeFailed }

/** Runs numeric code, synchronous or not. What it does not raise on purpose is a mistake of the program and stays a defect. */
export const computing = <A>(work: () => A | Promise<A>): Effect.Effect<A, ComputeFailed> =>
  Effect.promise(async (): Promise<Outcome<A>> => {
    try {
      return { value: await work() }
    } catch (error) {
      if (!isRaised(error)) throw error
      return { failure: new ComputeFailed({ kind: error._tag, reason: error.message }) }
    }
  }).pipe(
    Effect.flatMap((outcome) => ("failure" in outcome ? Effect.fail(outcome.failure) : Effect.succeed(outcome.value)))
  )
