import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, GpujsProgram, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import type { Shape } from "../../core/Shape.ts"
import { type AdamStepAttributes, adamDecay, adamNumbers } from "./geometry.ts"

/** The gradient after clipping and, in Adam, decay. Without a factor its place is taken by another operand, which is not read. */
function effective(this: Thread, gradient: Values, factor: Values, parameter: Values, decay: number) {
  let g = gradient[this.thread.x]
  if (this.constants.clipped === 1) {
    g = g * factor[0]
  }
  if (this.constants.decayed === 1) {
    g = g + decay * parameter[this.thread.x]
  }
  return g
}

function firstMoment(this: Thread, m: Values, g: Values, factor: Values, beta: number, rest: number) {
  if (this.constants.clipped === 1) {
    if (factor[0] < 0) {
      return m[this.thread.x]
    }
  }
  return beta * m[this.thread.x] + rest * g[this.thread.x]
}

function secondMoment(this: Thread, v: Values, g: Values, factor: Values, beta: number, rest: number) {
  if (this.constants.clipped === 1) {
    if (factor[0] < 0) {
      return v[this.thread.x]
    }
  }
  return beta * v[this.thread.x] + rest * g[this.thread.x] * g[this.thread.x]
}

function stepped(
  this: Thread,
  parameter: Values,
  m: Values,
  v: Values,
  factor: Values,
  shrink: number,
  stepSize: number,
  correction: number,
  epsilon: number
) {
  if (this.constants.clipped === 1) {
    if (factor[0] < 0) {
      return parameter[this.thread.x]
    }
  }
  return (
    parameter[this.thread.x] * shrink -
    (stepSize * m[this.thread.x]) / (Math.sqrt(v[this.thread.x]) / correction + epsilon)
  )
}

/** Moments `m` and `v` and the parameter of this name after a step with the gradient `g`, which a negative number under `factor` holds. */
export const adamPrograms = (
  parameter: string,
  shape: Shape,
  options: Omit<AdamStepAttributes, "weightDecay" | "decoupled">,
  shrink: number,
  factor?: string
): readonly GpujsProgram[] => {
  const { beta1, rest1, beta2, rest2, stepSize, correction, epsilon } = adamNumbers(options)
  const clipped = Number(factor !== undefined)
  const held = factor ?? "g"
  return [
    elementwiseProgram("m", firstMoment, ["m", "g", held], shape, { scalars: [beta1, rest1], constants: { clipped } }),
    elementwiseProgram("v", secondMoment, ["v", "g", held], shape, { scalars: [beta2, rest2], constants: { clipped } }),
    elementwiseProgram(parameter, stepped, [parameter, "m", "v", held], shape, {
      scalars: [shrink, stepSize, correction, epsilon],
      constants: { clipped }
    })
  ]
}

export const gpujs: GpujsBody<"parameter" | "m" | "v" | "gradient" | "factor", never, AdamStepAttributes> = {
  programs: ({ inputs }, options) => {
    const { shrink, added } = adamDecay(options)
    const shape = inputs.parameter
    const clipped = "factor" in inputs
    return [
      elementwiseProgram("g", effective, ["gradient", clipped ? "factor" : "gradient", "parameter"], shape, {
        scalars: [added],
        constants: { clipped: Number(clipped), decayed: Number(added > 0) }
      }),
      ...adamPrograms("parameter", shape, options, shrink, clipped ? "factor" : undefined)
    ]
  }
}
