/** How fast matrices are multiplied here: what forecasts of time rest on. Measured, as it differs by a hundred times. */
import { type Backend, matmul, openBackend, zeros } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Compute } from "../compute/Compute.ts"

/** A product that takes less than this says little; of larger ones, matrices of this size say all. */
const longEnough = 5
const largest = 1024
/** Times that a product is repeated: the fastest counts. */
const repetitions = 5

/** Milliseconds of a product of square matrices. */
const timeOf = async (backend: Backend, size: number): Promise<number> => {
  const x = zeros(backend, [size, size])
  try {
    const started = performance.now()
    const y = matmul(x, x)
    await y.read()
    y.release()
    return performance.now() - started
  } finally {
    x.release()
  }
}

/** Floating-point operations a second of the backend's products in f32. */
const measure = async (backend: Backend): Promise<number> => {
  for (let size = largest / 8; ; size *= 2) {
    const times: number[] = []
    for (let i = 0; i < repetitions; i++) times.push(await timeOf(backend, size))
    const fastest = Math.min(...times)
    if (fastest >= longEnough || size === largest) return (2000 * size ** 3) / fastest
  }
}

const measured = new WeakMap<Backend, Promise<number>>()

const speedOf = (backend: Backend): Promise<number> => {
  const known = measured.get(backend) ?? measure(backend)
  measured.set(backend, known)
  return known
}

/** The processor's, measured once in a process; undefined where its backend cannot be started. */
let processor: Promise<number | undefined> | undefined
const speedOfProcessor = async (): Promise<number | undefined> => {
  const backend = await openBackend("native").catch(() => undefined)
  if (backend === undefined) return undefined
  try {
    return await measure(backend)
  } finally {
    await backend.close()
  }
}

/** Operations a second on the backend that a run computes with, and on the processor where there is none yet: a plan. */
export const productSpeed: Effect.Effect<number | undefined> = Effect.flatMap(
  Effect.serviceOption(Compute),
  Option.match({
    onNone: () =>
      Effect.promise(() => {
        processor ??= speedOfProcessor()
        return processor
      }),
    onSome: ({ backend }) => Effect.promise((): Promise<number | undefined> => speedOf(backend))
  })
)
