/** Computations that are cut into steps, so that others can take their turns between them, or whoever waits can leave. */

/** Does its steps when it is asked to; what it holds is released when it is left early. */
export type InSteps<A> = Generator<void, A, void>

/** Yields `idle` and awaits `turn` after each step; steps that are left when the generator is are not done. */
export async function* inTurns<A, I>(
  steps: InSteps<A>,
  turn: () => Promise<void>,
  idle: I
): AsyncGenerator<I, A, void> {
  try {
    for (;;) {
      const { done, value } = steps.next()
      if (done) return value
      yield idle
      await turn()
    }
  } finally {
    ;(steps as Generator<void, unknown, void>).return(undefined)
  }
}

/** Does all steps at once. */
export const allAtOnce = <A>(steps: InSteps<A>): A => {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}
