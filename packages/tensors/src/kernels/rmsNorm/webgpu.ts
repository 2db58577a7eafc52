import { inRows, type WebgpuBody, type WgslProgram } from "../../backends/gpujs/webgpu/WebgpuBody.ts"
import {
  across,
  overColumns,
  rowsThenColumns,
  rowwise,
  workgroupsOfRowsThenColumns
} from "../../backends/gpujs/webgpu/wgslText.ts"
import { asMatrix } from "../../core/Shape.ts"
import type { NormAttributes } from "../layerNorm/geometry.ts"

const forward: WgslProgram = {
  reads: ["x", "weight"],
  writes: ["y", "inverseRms"],
  whole: ["rows", "columns"],
  real: ["share", "epsilon"],
  text: `${across}${rowwise(`
  var squares = 0.0;
  ${overColumns("squares += x[i] * x[i];")}
  let inverse = 1.0 / sqrt(sumAcross(squares, lane) * p.share + p.epsilon);
  if (lane == 0u) { inverseRms[row] = inverse; }
  ${overColumns("y[i] = weight[c] * (x[i] * inverse);")}`)}`
}

/** The first workgroups take a row of dx each, the others 32 columns of dweight. With n = x / rms and g = weight dy. */
const backward: WgslProgram = {
  reads: ["x", "weight", "inverseRms", "dy"],
  writes: ["dx", "dweight"],
  whole: ["rows", "columns"],
  real: ["share"],
  text: `${across}
fn slopeOfRow(row: u32, lane: u32) {
  let inverse = inverseRms[row];
  var sum = 0.0;
  ${overColumns("sum += weight[c] * dy[i] * x[i] * inverse;")}
  let mean = sumAcross(sum, lane) * p.share;
  ${overColumns("dx[i] = (weight[c] * dy[i] - x[i] * inverse * mean) * inverse;")}
}
${rowsThenColumns({ dweight: "dy[i] * x[i] * inverseRms[row]" })}`
}

export const webgpu: WebgpuBody<"x" | "weight", "y" | "inverseRms", NormAttributes> = {
  launches: ({ inputs }, { epsilon }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      {
        program: forward,
        reads: ["x", "weight"],
        writes: [{ name: "y" }, { name: "inverseRms" }],
        whole: [rows, columns],
        real: [1 / columns, epsilon],
        workgroups: inRows(rows)
      }
    ]
  }
}

export const webgpuGradient: WebgpuBody<"x" | "weight" | "inverseRms" | "dy", "dx" | "dweight"> = {
  launches: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      {
        program: backward,
        reads: ["x", "weight", "inverseRms", "dy"],
        writes: [{ name: "dx" }, { name: "dweight" }],
        whole: [rows, columns],
        real: [1 / columns],
        workgroups: workgroupsOfRowsThenColumns(rows, columns)
      }
    ]
  }
}
