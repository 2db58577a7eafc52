import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { normalCdf } from "../../backends/gpujs/numbers.ts"

const helpers = [normalCdf]

function value(this: Thread, x: Values) {
  return x[this.thread.x] * normalCdf(x[this.thread.x])
}

/** The density is exp(-x^2 / 2) / sqrt(2 pi). */
function slope(this: Thread, x: Values, dy: Values) {
  const at = x[this.thread.x]
  const density = 0.3989422804014327 * Math.exp(-0.5 * at * at)
  return dy[this.thread.x] * (normalCdf(at) + at * density)
}

export const gpujs: GpujsBody<"x", "y"> = {
  programs: ({ outputs }) => [elementwise("y", value, ["x"], outputs.y, { helpers })]
}

export const gpujsGradient: GpujsBody<"x" | "dy", "dx"> = {
  programs: ({ outputs }) => [elementwise("dx", slope, ["x", "dy"], outputs.dx, { helpers })]
}
