import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"

function product(this: Thread, a: Values, b: Values) {
  return a[this.thread.x] * b[this.thread.x]
}

export const gpujs: GpujsBody<"a" | "b", "y"> = {
  programs: ({ outputs }) => [elementwise("y", product, ["a", "b"], outputs.y)]
}
