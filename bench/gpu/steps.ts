/** Steps of stage 3 at InternVL3-1B shapes, with their teacher, without the tower: losses, and milliseconds of the host and until the GPU is done. */
import { openBackend } from "@speedq/tensors"
import { qatStep } from "../qatStep.ts"
import type { Part } from "./report.ts"

const stepsOf =
  (tokens: number): Part =>
  async (print, size) => {
    const small = size === "small"
    const backend = await openBackend("gpujs:webgpu")
    const options = { layers: small ? 1 : 24, tokens: small ? 16 : tokens, answer: small ? 2 : 64, tiles: 0 }
    const grid = { bits: 2, group: 16, scaleGroup: 16, rematerialize: false, states: "f32" } as const
    const started = performance.now()
    const { step } = qatStep({ backend, enter: () => {}, spent: () => [], reset: () => {} }, { ...options, ...grid })
    print({ ...options, loadedMs: performance.now() - started })
    // The first step compiles; from the second on, pool and caches find what they need.
    for (let at = 0; at < (small ? 2 : 5); at++) {
      const start = performance.now()
      const loss = step()
      const hostMs = performance.now() - start
      const value = await loss.item()
      const ms = performance.now() - start
      loss.release()
      print({ ...options, step: at + 1, loss: value, hostMs, ms, peakGib: backend.usage().peakBytes / 2 ** 30 })
    }
    await backend.close()
  }

export const shortSteps: Part = stepsOf(512)
export const longSteps: Part = stepsOf(2048)
