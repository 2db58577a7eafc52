/** What the model computes on: the processor, by WebAssembly, or the graphics processor, by WebGPU. */
import { type Backend, makeGpujsBackend, makeNativeBackend } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { GraphicsUnavailable } from "./Errors.ts"
import type { Computer, ComputingPlace } from "./messages.ts"

/** Threads beyond which the products of a token gain nothing. */
const mostThreads = 8

const gibibyte = 2 ** 30

/** Bytes of one memory: 4 GiB of addresses where the browser gives them, which cost nothing until they are used; phones give less. */
const memoryBytes = (): number => {
  for (let bytes = 4 * gibibyte; bytes > gibibyte / 4; bytes /= 2) {
    try {
      new WebAssembly.Memory({ initial: bytes / 65536, maximum: bytes / 65536, shared: true })
      return bytes
    } catch {
      // Half of it may be there.
    }
  }
  return gibibyte / 4
}

const close = ({ backend }: { readonly backend: Backend }) => Effect.promise(() => backend.close())

const openProcessor = Effect.acquireRelease(
  Effect.promise(async () => {
    const backend = await makeNativeBackend({
      threads: crossOriginIsolated ? Math.min(mostThreads, navigator.hardwareConcurrency) : 1,
      blas: "none",
      memoryBytes: memoryBytes()
    })
    const place: ComputingPlace = { computer: "processor", threads: backend.description.threads }
    return { backend, place }
  }),
  close
)

const openGraphics = Effect.acquireRelease(
  Effect.tryPromise({
    try: async () => {
      const backend = await makeGpujsBackend({ mode: "webgpu" })
      const place: ComputingPlace = { computer: "graphics", adapter: backend.hardware?.adapter ?? backend.name }
      return { backend, place }
    },
    catch: (error) => new GraphicsUnavailable({ reason: error instanceof Error ? error.message : String(error) })
  }),
  close
)

/** Opens the backend of a computer for the life of the scope. Fails with GraphicsUnavailable. */
export const openBackend = (computer: Computer) => (computer === "graphics" ? openGraphics : openProcessor)
