import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import type { ClipFactorAttributes } from "./geometry.ts"

function factorOf(this: Thread, total: Values, maxNorm: number) {
  const factor = maxNorm / (Math.sqrt(total[this.thread.x]) + 1e-6)
  if (factor < 1) {
    return factor
  }
  if (factor >= 1) {
    return 1
  }
  return factor // NaN
}

function normOf(this: Thread, total: Values) {
  return Math.sqrt(total[this.thread.x])
}

export const gpujs: GpujsBody<"total", "factor" | "norm", ClipFactorAttributes> = {
  programs: ({ outputs }, { maxNorm }) => [
    elementwise("factor", factorOf, ["total"], outputs.factor, { scalars: [maxNorm] }),
    elementwise("norm", normOf, ["total"], outputs.norm)
  ]
}
