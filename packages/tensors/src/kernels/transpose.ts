/** y[c, r] = x[r, c]: for small matrices; products transpose their operands for free. */
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { type NativeBody, shared, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { ShapeMismatch } from "../core/Errors.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { normals } from "./operands/samples.ts"

/** y[c, r] = x[r, c] */
const reference = ({ x }: Arrays<"x">, { y }: Arrays<"y">, { inputs }: Geometry<"x", "y">): void => {
  const [rows, columns] = inputs.x as readonly [number, number]
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) y[column * rows + row] = x[row * columns + column]!
  }
}

function swapped(this: Thread, x: Values) {
  return x[this.thread.x * this.constants.columns + this.thread.y]
}

const gpujs: GpujsBody<"x", "y"> = {
  programs: ({ inputs }) => {
    const [rows, columns] = inputs.x as readonly [number, number]
    return [{ output: "y", compute: swapped, reads: ["x"], constants: { columns }, extent: [rows, columns] }]
  }
}

const native: NativeBody<"x", "y"> = (engine, { inputs: { x }, outputs: { y } }) => {
  const [rows, columns] = x.shape as readonly [number, number]
  const operands = [shared(x), writing(y, 4 * rows)]
  engine.rows({ entry: "transpose", rows: columns, operands, scalars: [rows, columns], workPerRow: 8 * rows })
}

export const transposeKernel = defineKernel<"x", "y", object>({
  name: "transpose",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => {
    if (x.length !== 2) throw new ShapeMismatch("transpose", "x", "two axes", x)
    return { y: { shape: [x[1]!, x[0]!] } }
  },
  gradient: { saves: {}, backward: ({ cotangents: { y } }) => (y ? { x: transpose(y) } : {}) },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 0, bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) =>
    [
      [1, 1],
      [3, 17],
      [33, 8],
      [67, 131],
      [0, 5]
    ].map((shape) => ({ name: shape.join("x"), inputs: { x: normals(random, shape) }, attributes: {} })),
  tolerance: { relative: 0, absolute: 0 }
})

/** The transpose of a matrix: [R, C] -> [C, R]. */
export const transpose = (x: Tensor): Tensor => apply(transposeKernel, { x }, {}).y
