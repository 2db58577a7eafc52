import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { sizeOf } from "../../Shape.ts"

function scaled(this: Thread, x: Values, factors: Values) {
  return x[this.thread.y * this.constants.rest + this.thread.x] * factors[this.thread.y]
}

export const gpujs: GpujsBody<"x" | "factors", "y"> = {
  programs: ({ inputs }) => {
    const rest = sizeOf(inputs.x.slice(1))
    return [
      {
        output: "y",
        compute: scaled,
        reads: ["x", "factors"],
        constants: { rest },
        extent: [rest, inputs.x[0]!]
      }
    ]
  }
}
