/** How fast matrices are multiplied here: what forecasts of time rest on. Measured, as it differs by a hundred times. */
import { type Backend, measureProducts, openBackend } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"

/** Milliseconds that each product is repeated for, a quarter of a second in all: with less the largest is not up to speed. */
const enough = 60

const measure = async (backend: Backend): Promise<number> => 1e9 * (await measureProducts(backend, enough)).gflops

const measureProcessor = async (): Promise<number> => {
  const backend = await openBackend("native")
  try {
    return await measure(backend)
  } finally {
    await backend.close()
  }
}

/** Stands for the processor's own backend among those that were measured. */
const processor = {}
/** Measured once in a process. */
const measured = new WeakMap<object, Promise<number>>()

/**
 * Operations a second on the backend that a run computes with, and on the processor where there is none yet: a plan. Undefined
 * where the backend does not start, or has no memory for a product: the forecast of memory says more of that.
 */
export const productSpeed: Effect.Effect<number | undefined> = Effect.flatMap(
  Effect.serviceOption(Compute),
  (compute) => {
    const backend = Option.getOrUndefined(compute)?.backend
    const key = backend ?? processor
    const speed = measured.get(key) ?? (backend === undefined ? measureProcessor() : measure(backend))
    measured.set(key, speed)
    return Effect.orElseSucceed(
      computing(() => speed),
      () => undefined
    )
  }
)
