import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { perWeight } from "../../backends/gpujs/groups.ts"
import { divided, limited, logistic, quotient } from "../../backends/gpujs/numbers.ts"
import { type AdaroundWeightAttributes, adaroundStretch } from "./geometry.ts"

/** h(alpha) = clamp(range sigmoid(alpha) + gamma, 0, 1) */
export function softRounding(alpha: number, gamma: number, range: number): number {
  return limited(logistic(alpha) * range + gamma, 0, 1)
}

/** dh/dalpha: 0 where h is clamped. */
export function softRoundingSlope(alpha: number, gamma: number, range: number): number {
  const s = logistic(alpha)
  const stretched = s * range + gamma
  if (stretched < 0) {
    return 0
  }
  if (stretched > 1) {
    return 0
  }
  return s * (1 - s) * range
}

/** The last scalars of programs that call them: gamma, and zeta - gamma. */
export const stretchScalars = [adaroundStretch.gamma, adaroundStretch.zeta - adaroundStretch.gamma] as const

export const softRoundingHelpers = [limited, logistic, softRounding, softRoundingSlope]

function rounded(
  this: Thread,
  weight: Values,
  scale: Values,
  zero: Values,
  alpha: Values,
  gamma: number,
  range: number
) {
  const group = quotient(this.thread.x, this.constants.group)
  const s = scale[this.thread.y * this.constants.groups + (group | 0)]
  const z = zero[this.thread.y * this.constants.groups + (group | 0)]
  const a = alpha[this.thread.y * this.constants.columns + this.thread.x]
  let up = softRounding(a, gamma, range)
  if (this.constants.hard === 1) {
    up = 0
    if (a >= 0) {
      up = 1
    }
  }
  const down = Math.floor(divided(weight[this.thread.y * this.constants.columns + this.thread.x], s))
  return s * (limited(down + up + z, 0, this.constants.most) - z)
}

function slope(
  this: Thread,
  dy: Values,
  weight: Values,
  scale: Values,
  zero: Values,
  alpha: Values,
  gamma: number,
  range: number
) {
  const group = quotient(this.thread.x, this.constants.group)
  const s = scale[this.thread.y * this.constants.groups + (group | 0)]
  const a = alpha[this.thread.y * this.constants.columns + this.thread.x]
  const down = Math.floor(divided(weight[this.thread.y * this.constants.columns + this.thread.x], s))
  const code = down + softRounding(a, gamma, range) + zero[this.thread.y * this.constants.groups + (group | 0)]
  if (code < 0) {
    return 0
  }
  if (code > this.constants.most) {
    return 0
  }
  return dy[this.thread.y * this.constants.columns + this.thread.x] * s * softRoundingSlope(a, gamma, range)
}

const helpers = [...softRoundingHelpers, divided, quotient]
type Operands = "weight" | "scale" | "zero" | "alpha"

const extents = (weight: readonly number[], { bits, group, hard }: AdaroundWeightAttributes) => {
  const { constants, extent } = perWeight(weight, group)
  return {
    constants: { ...constants, most: 2 ** bits - 1, hard: Number(hard) },
    scalars: stretchScalars,
    extent,
    helpers
  }
}

export const gpujs: GpujsBody<Operands, "y", AdaroundWeightAttributes> = {
  programs: ({ inputs }, attributes) => [
    {
      output: "y",
      compute: rounded,
      reads: ["weight", "scale", "zero", "alpha"],
      ...extents(inputs.weight, attributes)
    }
  ]
}

export const gpujsGradient: GpujsBody<Operands | "dy", "dalpha", AdaroundWeightAttributes> = {
  programs: ({ inputs }, attributes) => [
    {
      output: "dalpha",
      compute: slope,
      reads: ["dy", "weight", "scale", "zero", "alpha"],
      ...extents(inputs.weight, attributes)
    }
  ]
}
