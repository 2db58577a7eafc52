import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { asMatrix } from "../../Shape.ts"

/** Without a bias its place is taken by another operand, which is not read. */
function affine(this: Thread, x: Values, weight: Values, bias: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.k; i++) {
    sum += x[this.thread.y * this.constants.k + i] * weight[this.thread.x * this.constants.k + i]
  }
  if (this.constants.biased === 1) {
    sum += bias[this.thread.x]
  }
  return sum
}

export const gpujs: GpujsBody<"x" | "weight" | "bias", "y"> = {
  programs: ({ inputs }) => {
    const { rows, columns: k } = asMatrix(inputs.x)
    const biased = "bias" in inputs
    return [
      {
        output: "y",
        compute: affine,
        reads: ["x", "weight", biased ? "bias" : "x"],
        constants: { k, biased: Number(biased) },
        extent: [inputs.weight[0]!, rows]
      }
    ]
  }
}
