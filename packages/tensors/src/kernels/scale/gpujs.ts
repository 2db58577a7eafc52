import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import type { ScaleAttributes } from "./geometry.ts"

function scaled(this: Thread, x: Values, factor: number) {
  return x[this.thread.x] * factor
}

export const gpujs: GpujsBody<"x", "y", ScaleAttributes> = {
  programs: ({ outputs }, { factor }) => [elementwise("y", scaled, ["x"], outputs.y, { scalars: [factor] })]
}
