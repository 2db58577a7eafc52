import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { sumAll } from "../../backends/gpujs/reductions.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { SquaredErrorAttributes } from "./geometry.ts"

/** Without weights their place is taken by another operand, which is not read. */
function errorOfPart(this: Thread, a: Values, b: Values, weight: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      const error = a[i * this.constants.parts + this.thread.x] - b[i * this.constants.parts + this.thread.x]
      if (this.constants.weighted === 1) {
        sum += weight[i * this.constants.parts + this.thread.x] * error * error
      } else {
        sum += error * error
      }
    }
  }
  return sum
}

function slope(this: Thread, a: Values, b: Values, dloss: Values, weight: Values, factor: number) {
  const error = 2 * factor * dloss[0] * (a[this.thread.x] - b[this.thread.x])
  if (this.constants.weighted === 1) {
    return weight[this.thread.x] * error
  }
  return error
}

const weights = (inputs: object) => {
  const weighted = "weight" in inputs
  return { reads: weighted ? "weight" : "a", constants: { weighted: Number(weighted) } }
}

export const gpujs: GpujsBody<"a" | "b" | "weight", "loss", SquaredErrorAttributes> = {
  programs: ({ inputs }, { factor }) => {
    const { reads, constants } = weights(inputs)
    return sumAll({ output: "loss", part: errorOfPart, reads: ["a", "b", reads], constants, factor }, sizeOf(inputs.a))
  }
}

export const gpujsGradient: GpujsBody<"a" | "b" | "weight" | "dloss", "da", SquaredErrorAttributes> = {
  programs: ({ inputs, outputs }, { factor }) => {
    const { reads, constants } = weights(inputs)
    return [elementwiseProgram("da", slope, ["a", "b", "dloss", reads], outputs.da, { scalars: [factor], constants })]
  }
}
