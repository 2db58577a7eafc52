import { inRows, type WebgpuBody, type WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import {
  across,
  overColumns,
  rowsThenColumns,
  rowwise,
  workgroupsOfRowsThenColumns
} from "../../backends/gpujs/webgpu/wgslText.ts"
import { asMatrix } from "../../core/Shape.ts"
import type { NormAttributes } from "./geometry.ts"

const forward: WgslProgram = {
  reads: ["x", "weight", "bias"],
  writes: ["y", "mean", "inverseDeviation"],
  whole: ["rows", "columns"],
  real: ["share", "epsilon"],
  text: `${across}${rowwise(`
  var sum = 0.0;
  ${overColumns("sum += x[i];")}
  let middle = sumAcross(sum, lane) * p.share;
  var squares = 0.0;
  ${overColumns("squares += (x[i] - middle) * (x[i] - middle);")}
  let inverse = 1.0 / sqrt(sumAcross(squares, lane) * p.share + p.epsilon);
  if (lane == 0u) {
    mean[row] = middle;
    inverseDeviation[row] = inverse;
  }
  ${overColumns("y[i] = (x[i] - middle) * inverse * weight[c] + bias[c];")}`)}`
}

/** The first workgroups take a row of dx each, the others 32 columns of dweight and dbias. With n = (x - mean) / deviation, g = weight dy. */
const backward: WgslProgram = {
  reads: ["x", "weight", "mean", "inverseDeviation", "dy"],
  writes: ["dx", "dweight", "dbias"],
  whole: ["rows", "columns"],
  real: ["share"],
  text: `${across}
fn slopeOfRow(row: u32, lane: u32) {
  let middle = mean[row];
  let inverse = inverseDeviation[row];
  var sum = 0.0;
  var sum_n = 0.0;
  ${overColumns("sum += weight[c] * dy[i]; sum_n += weight[c] * dy[i] * (x[i] - middle) * inverse;")}
  let mean_g = sumAcross(sum, lane) * p.share;
  let mean_gn = sumAcross(sum_n, lane) * p.share;
  ${overColumns("dx[i] = (weight[c] * dy[i] - mean_g - (x[i] - middle) * inverse * mean_gn) * inverse;")}
}
${rowsThenColumns({
  dweight: "dy[i] * (x[i] - mean[row]) * inverseDeviation[row]",
  dbias: "dy[i]"
})}`
}

export const webgpu: WebgpuBody<"x" | "weight" | "bias", "y" | "mean" | "inverseDeviation", NormAttributes> = {
  launches: ({ inputs }, { epsilon }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      {
        program: forward,
        reads: ["x", "weight", "bias"],
        writes: [{ name: "y" }, { name: "mean" }, { name: "inverseDeviation" }],
        whole: [rows, columns],
        real: [1 / columns, epsilon],
        workgroups: inRows(rows)
      }
    ]
  }
}

export const webgpuGradient: WebgpuBody<
  "x" | "weight" | "mean" | "inverseDeviation" | "dy",
  "dx" | "dweight" | "dbias"
> = {
  launches: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      {
        program: backward,
        reads: ["x", "weight", "mean", "inverseDeviation", "dy"],
        writes: [{ name: "dx" }, { name: "dweight" }, { name: "dbias" }],
        whole: [rows, columns],
        real: [1 / columns],
        workgroups: workgroupsOfRowsThenColumns(rows, columns)
      }
    ]
  }
}
