import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { logistic } from "../../backends/gpujs/numbers.ts"

const helpers = [logistic]

function value(this: Thread, gate: Values, up: Values) {
  return gate[this.thread.x] * logistic(gate[this.thread.x]) * up[this.thread.x]
}

function slopeByGate(this: Thread, gate: Values, up: Values, dy: Values) {
  const s = logistic(gate[this.thread.x])
  return dy[this.thread.x] * up[this.thread.x] * s * (1 + gate[this.thread.x] * (1 - s))
}

function slopeByUp(this: Thread, gate: Values, dy: Values) {
  return dy[this.thread.x] * gate[this.thread.x] * logistic(gate[this.thread.x])
}

export const gpujs: GpujsBody<"gate" | "up", "y"> = {
  programs: ({ outputs }) => [elementwise("y", value, ["gate", "up"], outputs.y, { helpers })]
}

export const gpujsGradient: GpujsBody<"gate" | "up" | "dy", "dgate" | "dup"> = {
  programs: ({ outputs }) => [
    elementwise("dgate", slopeByGate, ["gate", "up", "dy"], outputs.dgate, { helpers }),
    elementwise("dup", slopeByUp, ["gate", "dy"], outputs.dup, { helpers })
  ]
}
