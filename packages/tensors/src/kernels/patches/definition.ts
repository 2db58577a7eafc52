/**
 * Images cut into patches, each a row in the order (channel, y, x) in which a convolution's weight [out, C, p, p] flattens:
 * with linear() this is the patch embedding. x [T, C, S, S] -> [T, (S/p)^2, C p p]. Its gradient is its inverse.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { normals } from "../operands/samples.ts"
import { type PatchesAttributes, patchesSize } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

const cases = [
  { tiles: 1, channels: 1, grid: 1, patch: 1 },
  { tiles: 2, channels: 3, grid: 2, patch: 3 },
  { tiles: 0, channels: 3, grid: 2, patch: 2 },
  { tiles: 1, channels: 3, grid: 5, patch: 7 },
  { tiles: 1, channels: 1, grid: 17, patch: 1 }
]

export const patchesKernel = defineKernel<"x", "y", PatchesAttributes>({
  name: "patches",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }, attributes) => {
    const { tiles, channels, grid } = patchesSize(x, attributes)
    const { patch, inverse } = attributes
    const shape = inverse
      ? [tiles, channels, grid * patch, grid * patch]
      : [tiles, grid * grid, channels * patch * patch]
    return { y: { shape } }
  },
  gradient: {
    saves: {},
    backward: ({ cotangents: { y: dy }, attributes: { patch, inverse } }) =>
      dy ? { x: cut(dy, { patch, inverse: !inverse }) } : {}
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 0, bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) =>
    cases.flatMap(({ tiles, channels, grid, patch }) =>
      [false, true].map((inverse) => ({
        name: `${tiles}x${channels} of ${grid}x${grid} patches of ${patch}${inverse ? " inverse" : ""}`,
        inputs: {
          x: normals(
            random,
            inverse ? [tiles, grid * grid, channels * patch * patch] : [tiles, channels, grid * patch, grid * patch]
          )
        },
        attributes: { patch, inverse }
      }))
    )
})

const cut = (x: Tensor, attributes: PatchesAttributes): Tensor => apply(patchesKernel, { x }, attributes).y

/** Cuts images [T, C, S, S] into rows of patches [T, (S/p)^2, C p p]. */
export const patches = (x: Tensor, patch: number): Tensor => cut(x, { patch, inverse: false })
