import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { sumAll } from "../../backends/gpujs/reductions.ts"
import { sizeOf } from "../../core/Shape.ts"
import { adamPrograms } from "../adamStep/gpujs.ts"
import {
  gpujsGradient,
  softRounding,
  softRoundingHelpers,
  softRoundingSlope,
  stretchScalars
} from "../adaroundWeight/gpujs.ts"
import type { AdaroundStepAttributes } from "./geometry.ts"

/** Sum of 1 - |2 h - 1|^exponent over one part. */
function penaltyOfPart(this: Thread, alpha: Values, exponent: number, gamma: number, range: number) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      const u = 2 * softRounding(alpha[i * this.constants.parts + this.thread.x], gamma, range) - 1
      sum += 1 - Math.abs(u) ** exponent
    }
  }
  return sum
}

/** The gradient by the soft weights, and that of the penalty. */
function together(
  this: Thread,
  alpha: Values,
  dalpha: Values,
  steepness: number,
  exponent: number,
  gamma: number,
  range: number
) {
  const u = 2 * softRounding(alpha[this.thread.x], gamma, range) - 1
  const slope = steepness * Math.abs(u) ** exponent * softRoundingSlope(alpha[this.thread.x], gamma, range)
  if (u < 0) {
    return dalpha[this.thread.x] + slope
  }
  return dalpha[this.thread.x] - slope
}

type Operands = "alpha" | "m" | "v" | "dy" | "weight" | "scale" | "zero"

export const gpujs: GpujsBody<Operands, "rounding", AdaroundStepAttributes> = {
  programs: ({ inputs }, { bits, group, lambda, exponent, ...options }) => {
    const shape = inputs.alpha
    const helpers = softRoundingHelpers
    const sum = {
      output: "rounding",
      part: penaltyOfPart,
      reads: ["alpha"],
      scalars: [exponent, ...stretchScalars],
      factor: lambda,
      helpers
    }
    const byWeights = gpujsGradient.programs({ inputs, outputs: { dalpha: shape } }, { bits, group, hard: false })
    const scalars = [2 * lambda * exponent, exponent - 1, ...stretchScalars]
    return [
      ...sumAll(sum, sizeOf(shape)),
      ...byWeights,
      elementwiseProgram("g", together, ["alpha", "dalpha"], shape, { scalars, helpers }),
      ...adamPrograms("alpha", shape, options, 1)
    ]
  }
}
