/** Legal weights on grids. */
import { sizeOf } from "../../core/Shape.ts"
import type { SampleRandom } from "../operands/samples.ts"

export const gridCases = [
  { rows: 5, columns: 32, group: 16, bits: 2 },
  { rows: 3, columns: 21, group: 7, bits: 3 },
  { rows: 1, columns: 1, group: 1, bits: 8 },
  { rows: 0, columns: 8, group: 4, bits: 2 },
  { rows: 67, columns: 96, group: 32, bits: 4 },
  { rows: 17, columns: 3, group: 3, bits: 2 }
]

type GridCase = (typeof gridCases)[number]

/** Scales and whole zero points of every group. */
export const gridOperands = (random: SampleRandom, { rows, columns, group, bits }: GridCase) => {
  const shape = [rows, columns / group]
  const uniform = (low: number, high: number) => low + (high - low) * random.nextUniform()
  return {
    scale: { shape, values: Float32Array.from({ length: sizeOf(shape) }, () => uniform(0.01, 0.02)) },
    zero: { shape, values: Float32Array.from({ length: sizeOf(shape) }, () => Math.floor(uniform(0, 2 ** bits))) }
  }
}

export const gridName = ({ rows, columns, group, bits }: GridCase): string => `${rows}x${columns} g${group} b${bits}`
