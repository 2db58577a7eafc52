/** target[index[i]] = rows[i], in place: the key-value cache. */
import type { GpujsBody } from "../backends/gpujs/GpujsBody.ts"
import { indexNumbers, type NativeBody, reading, revised } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { ShapeMismatch } from "../core/Errors.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { formatShape, sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { distinct, normals } from "./operands/samples.ts"
import { expectDistinctRows, expectShape } from "./operands/shapeRules.ts"
import { replaced, sourceProgram } from "./replaceRows/gpujs.ts"

/** target[index[i], c] = rows[i, c] */
const reference = (
  { target, rows, index }: Arrays<"target" | "rows" | "index">,
  _outputs: Arrays<never>,
  { inputs }: Geometry<"target" | "rows" | "index", never>
): void => {
  const [count, columns] = [inputs.target[0]!, inputs.target[1]!]
  expectDistinctRows("writeRows", "index", index, count)
  for (const [i, row] of index.entries()) target.set(rows.subarray(i * columns, (i + 1) * columns), row * columns)
}

const gpujs: GpujsBody<"target" | "rows" | "index", never> = {
  check: ({ index }, { inputs }) => expectDistinctRows("writeRows", "index", index, inputs.target[0]!),
  programs: ({ inputs }) => {
    const [rows, columns] = inputs.target as readonly [number, number]
    return [
      sourceProgram(rows, inputs.index[0]!),
      {
        output: "target",
        compute: replaced,
        reads: ["target", "rows", "source"],
        constants: { columns },
        extent: [columns, rows]
      }
    ]
  }
}

const native: NativeBody<"target" | "rows" | "index", never> = (engine, { inputs: { target, rows, index } }) => {
  const [count, columns] = target.shape as readonly [number, number]
  expectDistinctRows("writeRows", "index", indexNumbers(engine, index), count)
  const operands = [reading(rows, 4 * columns), reading(index, 4), revised(target)]
  engine.rows({ entry: "writeRows", rows: rows.shape[0]!, operands, scalars: [columns] })
}

export const writeRowsKernel = defineKernel<"target" | "rows" | "index", never, object>({
  name: "writeRows",
  inputs: { target: { dtypes: ["f32"], updated: true }, rows: { dtypes: ["f32"] }, index: { dtypes: ["i32"] } },
  outputs: [],
  infer: ({ target, rows, index }) => {
    if (rows.length !== 2 || target.length !== 2 || rows[1] !== target[1]) {
      throw new ShapeMismatch("writeRows", "rows", `[n, C] with the columns of "target" ${formatShape(target)}`, rows)
    }
    expectShape("writeRows", "index", index, [rows[0]!])
    return {}
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 0, bytes: 8 * sizeOf(inputs.rows) }),
  samples: (random) => [
    {
      name: "three of five",
      inputs: {
        target: normals(random, [5, 7]),
        rows: normals(random, [3, 7]),
        index: { shape: [3], dtype: "i32", values: [4, 0, 2] }
      },
      attributes: {}
    },
    {
      name: "many",
      inputs: {
        target: normals(random, [131, 67]),
        rows: normals(random, [63, 67]),
        index: distinct(random, 63, 131)
      },
      attributes: {}
    },
    {
      name: "one of seventeen",
      inputs: {
        target: normals(random, [17, 3]),
        rows: normals(random, [1, 3]),
        index: { shape: [1], dtype: "i32", values: [16] }
      },
      attributes: {}
    },
    {
      name: "none",
      inputs: {
        target: normals(random, [2, 3]),
        rows: normals(random, [0, 3]),
        index: { shape: [0], dtype: "i32", values: [] }
      },
      attributes: {}
    }
  ]
})

/** Overwrites rows of `target` [R, C] at `index` i32 [n] with `rows` [n, C]; indices must differ. */
export const writeRows = (target: Tensor, rows: Tensor, index: Tensor): void => {
  apply(writeRowsKernel, { target, rows, index }, {})
}
