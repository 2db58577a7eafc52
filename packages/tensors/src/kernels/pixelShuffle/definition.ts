/**
 * Pixel shuffle of InternVL: f x f neighbours become channels.
 * v2: y[t, i, j, (f di + dj) C + c] = x[t, f i + di, f j + dj, c]; v1: y[t, j, i, ...] of the same.
 * x [T, h, w, C] -> [T, h/f, w/f, f f C]. A permutation: its gradient is its inverse.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { normals } from "../operands/samples.ts"
import { coarseShape, fineShape, type PixelShuffleAttributes, shuffleSize } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

const cases: readonly { readonly shape: Shape; readonly factor: number }[] = [
  { shape: [1, 2, 2, 1], factor: 2 },
  { shape: [2, 4, 6, 3], factor: 2 },
  { shape: [1, 3, 9, 5], factor: 3 },
  { shape: [0, 2, 2, 3], factor: 2 },
  { shape: [3, 8, 8, 17], factor: 2 }
]

export const pixelShuffleKernel = defineKernel<"x", "y", PixelShuffleAttributes>({
  name: "pixelShuffle",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }, attributes) => {
    const size = shuffleSize(x, attributes)
    return { y: { shape: attributes.inverse ? fineShape(size, attributes.factor) : coarseShape(size, attributes) } }
  },
  gradient: {
    saves: {},
    backward: ({ cotangents: { y: dy }, attributes }) =>
      dy ? { x: shuffle(dy, { ...attributes, inverse: !attributes.inverse }) } : {}
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 0, bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) =>
    cases.flatMap(({ shape, factor }) =>
      (["v1", "v2"] as const).flatMap((version) =>
        [false, true].map((inverse) => {
          const attributes = { factor, version, inverse }
          const coarse = () => coarseShape(shuffleSize(shape, { ...attributes, inverse: false }), attributes)
          return {
            name: `${shape.join("x")} by ${factor} ${version}${inverse ? " inverse" : ""}`,
            inputs: { x: normals(random, inverse ? coarse() : shape) },
            attributes
          }
        })
      )
    )
})

const shuffle = (x: Tensor, attributes: PixelShuffleAttributes): Tensor =>
  apply(pixelShuffleKernel, { x }, attributes).y

/** Pixel shuffle: [T, h, w, C] -> [T, h/f, w/f, f f C] (v1: height and width of the result swapped). */
export const pixelShuffle = (x: Tensor, factor = 2, version: "v1" | "v2" = "v2"): Tensor =>
  shuffle(x, { factor, version, inverse: false })
