import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { plainSumRows, sumRows } from "../../backends/gpujs/reductions.ts"
import { asMatrix } from "../../core/Shape.ts"
import type { NormAttributes } from "./geometry.ts"

function squaredDeviations(this: Thread, x: Values, mean: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      const deviation =
        x[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] - mean[this.thread.y]
      sum += deviation * deviation
    }
  }
  return sum
}

/** 1 / sqrt(x + epsilon): of a variance, or of a mean square. */
export function inverseRoot(this: Thread, x: Values, epsilon: number) {
  return 1 / Math.sqrt(x[this.thread.x] + epsilon)
}

function normalized(this: Thread, x: Values, mean: Values, inverseDeviation: Values, weight: Values, bias: Values) {
  return (
    (x[this.thread.y * this.constants.columns + this.thread.x] - mean[this.thread.y]) *
      inverseDeviation[this.thread.y] *
      weight[this.thread.x] +
    bias[this.thread.x]
  )
}

/** Sum of weight dy over a row. */
function sumOfG(this: Thread, dy: Values, weight: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum +=
        weight[i * this.constants.parts + this.thread.x] *
        dy[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x]
    }
  }
  return sum
}

/** Sum of weight dy n over a row, n = (x - mean) / deviation. */
function sumOfGN(this: Thread, dy: Values, weight: Values, x: Values, mean: Values, inverseDeviation: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum +=
        weight[i * this.constants.parts + this.thread.x] *
        dy[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] *
        (x[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] - mean[this.thread.y]) *
        inverseDeviation[this.thread.y]
    }
  }
  return sum
}

function slope(
  this: Thread,
  dy: Values,
  weight: Values,
  x: Values,
  mean: Values,
  inverseDeviation: Values,
  meanG: Values,
  meanGN: Values
) {
  const n =
    (x[this.thread.y * this.constants.columns + this.thread.x] - mean[this.thread.y]) * inverseDeviation[this.thread.y]
  const g = weight[this.thread.x] * dy[this.thread.y * this.constants.columns + this.thread.x]
  return (g - meanG[this.thread.y] - n * meanGN[this.thread.y]) * inverseDeviation[this.thread.y]
}

function slopeByWeight(this: Thread, dy: Values, x: Values, mean: Values, inverseDeviation: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.rows; i++) {
    sum +=
      dy[i * this.constants.columns + this.thread.x] *
      (x[i * this.constants.columns + this.thread.x] - mean[i]) *
      inverseDeviation[i]
  }
  return sum
}

function slopeByBias(this: Thread, dy: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.rows; i++) {
    sum += dy[i * this.constants.columns + this.thread.x]
  }
  return sum
}

export const gpujs: GpujsBody<"x" | "weight" | "bias", "y" | "mean" | "inverseDeviation", NormAttributes> = {
  programs: ({ inputs, outputs }, { epsilon }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      ...plainSumRows("mean", "x", { rows, columns }, 1 / columns),
      ...sumRows({
        output: "variance",
        part: squaredDeviations,
        reads: ["x", "mean"],
        rows,
        columns,
        factor: 1 / columns
      }),
      elementwiseProgram("inverseDeviation", inverseRoot, ["variance"], outputs.mean, { scalars: [epsilon] }),
      {
        output: "y",
        compute: normalized,
        reads: ["x", "mean", "inverseDeviation", "weight", "bias"],
        constants: { columns },
        extent: [columns, rows]
      }
    ]
  }
}

export const gpujsGradient: GpujsBody<"x" | "weight" | "mean" | "inverseDeviation" | "dy", "dx" | "dweight" | "dbias"> =
  {
    programs: ({ inputs }) => {
      const { rows, columns } = asMatrix(inputs.x)
      const mean = { rows, columns, factor: 1 / columns }
      const statistics = ["x", "mean", "inverseDeviation"]
      const constants = { columns }
      const sizes = { rows }
      return [
        ...sumRows({ output: "meanG", part: sumOfG, reads: ["dy", "weight"], ...mean }),
        ...sumRows({ output: "meanGN", part: sumOfGN, reads: ["dy", "weight", ...statistics], ...mean }),
        {
          output: "dx",
          compute: slope,
          reads: ["dy", "weight", ...statistics, "meanG", "meanGN"],
          constants,
          extent: [columns, rows]
        },
        {
          output: "dweight",
          compute: slopeByWeight,
          reads: ["dy", ...statistics],
          constants,
          sizes,
          extent: [columns]
        },
        { output: "dbias", compute: slopeByBias, reads: ["dy"], constants, sizes, extent: [columns] }
      ]
    }
  }
