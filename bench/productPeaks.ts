/** What the machine's products reach at best in each arithmetic, and the arithmetic of a case. */
import { type Arithmetic, type Backend, BackendUnavailable, linear, noGrad } from "@speedq/tensors"
import { type Flags, normal, timed } from "./measure.ts"

/** Large enough that nothing but the product counts. */
const [rows, inputs, outputs] = [1024, 2048, 4096]
const repetitions = 6

/** `--arithmetic f32|bf16`. */
export const arithmeticOf = (flags: Flags): Arithmetic => {
  const asked = flags.text("arithmetic") ?? "f32"
  if (asked === "f32" || asked === "bf16") return asked
  throw new Error(`--arithmetic is f32 or bf16, not ${asked}`)
}

const peakOf = (backend: Backend): number => {
  const [x, weight] = [normal(backend, [rows, inputs]), normal(backend, [outputs, inputs], 1, 1, "bf16")]
  const once = () => timed(() => noGrad(() => linear(x, weight)).release())
  const ms = Math.min(...Array.from({ length: repetitions }, once))
  for (const each of [x, weight]) each.release()
  return (2 * rows * inputs * outputs) / ms / 1e6
}

/** GFLOP/s of the best of some products; null where the machine has none in that arithmetic. */
export const productPeaks = (backend: Backend): { readonly [A in Arithmetic]: number | null } => {
  const measured = (arithmetic: Arithmetic): number | null => {
    try {
      return Math.round(peakOf(backend.withArithmetic(arithmetic)))
    } catch (error) {
      if (error instanceof BackendUnavailable) return null
      throw error
    }
  }
  return { f32: measured("f32"), bf16: measured("bf16") }
}
