import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { sumRows } from "../../backends/gpujs/reductions.ts"
import { asMatrix } from "../../core/Shape.ts"
import type { NormAttributes } from "../layerNorm/geometry.ts"
import { inverseRoot } from "../layerNorm/gpujs.ts"

function sumOfSquares(this: Thread, x: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      const value = x[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x]
      sum += value * value
    }
  }
  return sum
}

function normalized(this: Thread, x: Values, inverseRms: Values, weight: Values) {
  return weight[this.thread.x] * (x[this.thread.y * this.constants.columns + this.thread.x] * inverseRms[this.thread.y])
}

/** Sum of weight dy n over a row, n = x / rms. */
function sumOfGN(this: Thread, dy: Values, weight: Values, x: Values, inverseRms: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum +=
        weight[i * this.constants.parts + this.thread.x] *
        dy[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] *
        x[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] *
        inverseRms[this.thread.y]
    }
  }
  return sum
}

function slope(this: Thread, dy: Values, weight: Values, x: Values, inverseRms: Values, meanGN: Values) {
  const n = x[this.thread.y * this.constants.columns + this.thread.x] * inverseRms[this.thread.y]
  const g = weight[this.thread.x] * dy[this.thread.y * this.constants.columns + this.thread.x]
  return (g - n * meanGN[this.thread.y]) * inverseRms[this.thread.y]
}

function slopeByWeight(this: Thread, dy: Values, x: Values, inverseRms: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.rows; i++) {
    sum +=
      dy[i * this.constants.columns + this.thread.x] * x[i * this.constants.columns + this.thread.x] * inverseRms[i]
  }
  return sum
}

export const gpujs: GpujsBody<"x" | "weight", "y" | "inverseRms", NormAttributes> = {
  programs: ({ inputs, outputs }, { epsilon }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      ...sumRows({ output: "meanSquare", part: sumOfSquares, reads: ["x"], rows, columns, factor: 1 / columns }),
      elementwiseProgram("inverseRms", inverseRoot, ["meanSquare"], outputs.inverseRms, { scalars: [epsilon] }),
      {
        output: "y",
        compute: normalized,
        reads: ["x", "inverseRms", "weight"],
        constants: { columns },
        extent: [columns, rows]
      }
    ]
  }
}

export const gpujsGradient: GpujsBody<"x" | "weight" | "inverseRms" | "dy", "dx" | "dweight"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    const reads = ["dy", "weight", "x", "inverseRms"]
    const constants = { columns }
    return [
      ...sumRows({ output: "meanGN", part: sumOfGN, reads, rows, columns, factor: 1 / columns }),
      { output: "dx", compute: slope, reads: [...reads, "meanGN"], constants, extent: [columns, rows] },
      {
        output: "dweight",
        compute: slopeByWeight,
        reads: ["dy", "x", "inverseRms"],
        constants,
        sizes: { rows },
        extent: [columns]
      }
    ]
  }
}
