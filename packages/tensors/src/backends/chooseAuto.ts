/** What "auto" takes: the GPU where it is clearly faster than the processor. */
import { type ProductSpeed, tellSpeed } from "./measureProducts.ts"

export interface AutoChoice {
  readonly takes: "gpujs:webgpu" | "native"
  /** One sentence with the speeds. */
  readonly why: string
}

/**
 * How many times as fast a GPU has to multiply. A step is more than products, and a near tie should not fall one way today and the other
 * way tomorrow: results differ in last digits.
 */
const clearlyFaster = 2

/**
 * The choice between the processor and a GPU of which `gpu` says how fast it multiplies, or why there is none.
 *
 * @example chooseAuto(speedOfProcessor, "WebGPU found no adapter").takes // "native"
 */
export const chooseAuto = (native: ProductSpeed, gpu: ProductSpeed | string): AutoChoice => {
  if (typeof gpu === "string") return { takes: "native", why: `no GPU answers: ${gpu}` }
  const speeds = `the GPU multiplies at ${tellSpeed(gpu)}, the processor at ${tellSpeed(native)}`
  return gpu.gflops >= clearlyFaster * native.gflops
    ? { takes: "gpujs:webgpu", why: speeds }
    : { takes: "native", why: `${speeds}; auto takes a GPU that is ${clearlyFaster} times as fast` }
}
