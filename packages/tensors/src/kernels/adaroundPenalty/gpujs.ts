import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { sumAll } from "../../backends/gpujs/reductions.ts"
import { sizeOf } from "../../Shape.ts"
import { softRounding, softRoundingHelpers, softRoundingSlope } from "../adaroundWeight/gpujs.ts"
import type { AdaroundPenaltyAttributes } from "./geometry.ts"

/** Sum of 1 - |2 h - 1|^beta over one part. */
function penaltyOfPart(this: Thread, alpha: Values, beta: number) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      const u = 2 * softRounding(alpha[i * this.constants.parts + this.thread.x]) - 1
      sum += 1 - Math.abs(u) ** beta
    }
  }
  return sum
}

function slope(this: Thread, alpha: Values, dloss: Values, lambda: number, beta: number) {
  const u = 2 * softRounding(alpha[this.thread.x]) - 1
  const steepness = beta * Math.abs(u) ** (beta - 1) * 2 * softRoundingSlope(alpha[this.thread.x])
  if (u < 0) {
    return dloss[0] * lambda * steepness
  }
  return -dloss[0] * lambda * steepness
}

export const gpujs: GpujsBody<"alpha", "loss", AdaroundPenaltyAttributes> = {
  programs: ({ inputs }, { lambda, beta }) =>
    sumAll(
      {
        output: "loss",
        part: penaltyOfPart,
        reads: ["alpha"],
        scalars: [beta],
        factor: lambda,
        helpers: softRoundingHelpers
      },
      sizeOf(inputs.alpha)
    )
}

export const gpujsGradient: GpujsBody<"alpha" | "dloss", "dalpha", AdaroundPenaltyAttributes> = {
  programs: ({ outputs }, { lambda, beta }) => [
    elementwise("dalpha", slope, ["alpha", "dloss"], outputs.dalpha, {
      scalars: [lambda, beta],
      helpers: softRoundingHelpers
    })
  ]
}
