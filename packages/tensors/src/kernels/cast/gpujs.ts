import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { roundBfloat16, roundFloat16, roundingHelpers } from "../../backends/gpujs/numbers.ts"
import type { CastAttributes } from "./geometry.ts"

function same(this: Thread, x: Values) {
  return x[this.thread.x]
}

function toBfloat16(this: Thread, x: Values) {
  return roundBfloat16(x[this.thread.x])
}

function toFloat16(this: Thread, x: Values) {
  return roundFloat16(x[this.thread.x])
}

const conversions = { f32: same, bf16: toBfloat16, f16: toFloat16 }

export const gpujs: GpujsBody<"x", "y", CastAttributes> = {
  programs: ({ outputs }, { to }) => [elementwise("y", conversions[to], ["x"], outputs.y, { helpers: roundingHelpers })]
}
