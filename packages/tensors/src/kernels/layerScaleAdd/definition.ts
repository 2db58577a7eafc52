/** y = residual + x scale: residual [..., C], x [..., C], scale [C]. The residual stream of a ViT block with layer scale. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { normals, rowShapes } from "../samples.ts"
import { expectRank, expectSame, expectShape } from "../shapeRules.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"

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
