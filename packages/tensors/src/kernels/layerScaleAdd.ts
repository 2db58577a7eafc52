/** y = residual + x scale: residual [..., C], x [..., C], scale [C]. The residual stream of a ViT block with layer scale. */
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { type NativeBody, reading, rowSums, shared, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { defineKernel } from "../core/Kernel.ts"
import { asMatrix, sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { normals, rowShapes } from "./operands/samples.ts"
import { expectRank, expectSame, expectShape } from "./operands/shapeRules.ts"

/** y[r, c] = residual[r, c] + x[r, c] scale[c] */
const reference = ({ residual, x, scale }: Arrays<"residual" | "x" | "scale">, { y }: Arrays<"y">): void => {
  for (let i = 0; i < y.length; i++) y[i] = residual[i]! + x[i]! * scale[i % scale.length]!
}

/** dx[r, c] = dy[r, c] scale[c], dscale[c] = sum over r of dy[r, c] x[r, c] */
const referenceGradient = (
  { x, scale, dy }: Arrays<"x" | "scale" | "dy">,
  { dx, dscale }: Arrays<"dx" | "dscale">
): void => {
  dscale.fill(0)
  for (let i = 0; i < dy.length; i++) {
    const c = i % scale.length
    dx[i] = dy[i]! * scale[c]!
    dscale[c]! += dy[i]! * x[i]!
  }
}

function sum(this: Thread, residual: Values, x: Values, scale: Values) {
  return (
    residual[this.thread.y * this.constants.columns + this.thread.x] +
    x[this.thread.y * this.constants.columns + this.thread.x] * scale[this.thread.x]
  )
}

function scaled(this: Thread, dy: Values, scale: Values) {
  return dy[this.thread.y * this.constants.columns + this.thread.x] * scale[this.thread.x]
}

function columnSumOfProducts(this: Thread, dy: Values, x: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.rows; i++) {
    sum += dy[i * this.constants.columns + this.thread.x] * x[i * this.constants.columns + this.thread.x]
  }
  return sum
}

const gpujs: GpujsBody<"residual" | "x" | "scale", "y"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      {
        output: "y",
        compute: sum,
        reads: ["residual", "x", "scale"],
        constants: { columns },
        extent: [columns, rows]
      }
    ]
  }
}

const gpujsGradient: GpujsBody<"x" | "scale" | "dy", "dx" | "dscale"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      { output: "dx", compute: scaled, reads: ["dy", "scale"], constants: { columns }, extent: [columns, rows] },
      {
        output: "dscale",
        compute: columnSumOfProducts,
        reads: ["dy", "x"],
        constants: { columns },
        sizes: { rows },
        extent: [columns]
      }
    ]
  }
}

const native: NativeBody<"residual" | "x" | "scale", "y"> = (
  engine,
  { inputs: { residual, x, scale }, outputs: { y } }
) => {
  const { rows, columns } = asMatrix(x.shape)
  engine.rows({
    entry: "layerScaleAdd",
    rows,
    operands: [reading(residual, 4 * columns), reading(x, 4 * columns), shared(scale), writing(y, 4 * columns)],
    scalars: [columns]
  })
}

const nativeGradient: NativeBody<"x" | "scale" | "dy", "dx" | "dscale"> = (
  engine,
  { inputs: { x, scale, dy }, outputs: { dx, dscale } }
) => {
  const { rows, columns } = asMatrix(x.shape)
  engine.rows({
    entry: "layerScaleAddGradient",
    rows,
    operands: [reading(x, 4 * columns), shared(scale), reading(dy, 4 * columns), writing(dx, 4 * columns)],
    partials: [rowSums(dscale, columns)],
    scalars: [columns]
  })
}

export const layerScaleAddKernel = defineKernel<"residual" | "x" | "scale", "y", object>({
  name: "layerScaleAdd",
  inputs: { residual: { dtypes: ["f32"] }, x: { dtypes: ["f32"] }, scale: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ residual, x, scale }) => {
    expectRank("layerScaleAdd", "residual", residual, 1)
    expectSame("layerScaleAdd", "x", x, "residual", residual)
    expectShape("layerScaleAdd", "scale", scale, residual.slice(-1))
    return { y: { shape: residual } }
  },
  gradient: {
    saves: ({ x, scale }) => ({ inputs: x || scale ? ["x", "scale"] : [] }),
    backward: ({ saved: { x, scale }, cotangents: { y: dy } }) => {
      if (!x || !scale) return { residual: dy }
      const { dx, dscale } = apply(layerScaleAddGradientKernel, { x, scale, dy }, {})
      return { residual: dy, x: dx, scale: dscale }
    }
  },
  reference,
  native,
  gpujs,
  cost: ({ outputs }) => ({ flops: 2 * sizeOf(outputs.y), bytes: 12 * sizeOf(outputs.y) }),
  samples: (random) =>
    rowShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: {
        residual: normals(random, shape),
        x: normals(random, shape),
        scale: normals(random, shape.slice(-1))
      },
      attributes: {}
    }))
})

export const layerScaleAddGradientKernel = defineKernel<"x" | "scale" | "dy", "dx" | "dscale", object>({
  name: "layerScaleAddGradient",
  inputs: { x: { dtypes: ["f32"] }, scale: { dtypes: ["f32"] }, dy: { dtypes: ["f32"] } },
  outputs: ["dx", "dscale"],
  infer: ({ x, scale, dy }) => {
    expectRank("layerScaleAddGradient", "x", x, 1)
    expectShape("layerScaleAddGradient", "scale", scale, x.slice(-1))
    expectSame("layerScaleAddGradient", "dy", dy, "x", x)
    return { dx: { shape: x }, dscale: { shape: scale } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  cost: ({ inputs }) => ({ flops: 3 * sizeOf(inputs.x), bytes: 12 * sizeOf(inputs.x) }),
  samples: (random) =>
    rowShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { x: normals(random, shape), scale: normals(random, shape.slice(-1)), dy: normals(random, shape) },
      attributes: {}
    })),
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** residual + x scale: residual and x [..., C], scale [C]. */
export const layerScaleAdd = (residual: Tensor, x: Tensor, scale: Tensor): Tensor =>
  apply(layerScaleAddKernel, { residual, x, scale }, {}).y
