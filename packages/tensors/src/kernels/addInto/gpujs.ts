import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"

function sum(this: Thread, target: Values, x: Values) {
  return target[this.thread.x] + x[this.thread.x]
}

export const gpujs: GpujsBody<"target" | "x", never> = {
  programs: ({ inputs }) => [elementwise("target", sum, ["target", "x"], inputs.target)]
}
