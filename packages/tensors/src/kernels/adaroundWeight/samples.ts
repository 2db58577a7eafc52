/** Weights on grids, for the samples of AdaRound's kernels. */
import type { Shape } from "../../core/Shape.ts"
import { normals, type SampleRandom, uniforms } from "../operands/samples.ts"

interface RoundingCase {
  readonly name: string
  readonly shape: Shape
  readonly group: number
  readonly bits: number
}

const roundingCase = (shape: Shape, group: number, bits: number): RoundingCase => ({
  name: `${shape.join("x")} b${bits} g${group}`,
  shape,
  group,
  bits
})

export const roundingCases: readonly RoundingCase[] = [
  roundingCase([1, 1], 1, 2),
  roundingCase([3, 21], 7, 3),
  roundingCase([17, 32], 16, 2),
  roundingCase([0, 4], 2, 4),
  roundingCase([35, 96], 32, 4),
  roundingCase([3, 300], 150, 3)
]

/** Weight and alpha [N, K], scale and zero [N, K / g]. */
export const roundingOperands = (random: SampleRandom, { shape, group, bits }: RoundingCase) => {
  const scales = [shape[0]!, shape[1]! / group]
  const zero = uniforms(random, scales, 0, 2 ** bits)
  return {
    weight: normals(random, shape),
    scale: uniforms(random, scales, 0.3, 1),
    zero: { shape: scales, values: Float32Array.from(zero.values).map(Math.floor) },
    // Past +-2.4 h is clamped; between, its slope is smooth.
    alpha: normals(random, shape, 2)
  }
}
