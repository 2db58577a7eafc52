/** tileRows lays a matrix as tiles (geometry.ts); untileRows takes it out again. */
import { apply } from "../../core/apply.ts"
import { elementBytes } from "../../core/DType.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { halves, normals, type SampleRandom } from "../operands/samples.ts"
import { type TileAttributes, type TileDType, tileShape, type UntileAttributes, untiledShape } from "./geometry.ts"
import { gpujs, gpujsUntile } from "./gpujs.ts"
import { native, nativeUntile } from "./native.ts"
import { reference, referenceUntile } from "./reference.ts"

/** Matrices, their tiles, and repeats. */
const cases: readonly (Omit<TileAttributes, "dtype"> & { readonly x: Shape })[] = [
  { x: [1, 1], together: 1, width: 1, steps: 1 },
  { x: [5, 40], together: 4, width: 16, steps: 3 },
  { x: [8, 64], together: 4, width: 16, steps: 4 },
  { x: [7, 3], together: 4, width: 1, steps: 8, repeat: 2 },
  { x: [3, 5], together: 1, width: 1, steps: 24, repeat: 4 },
  { x: [6, 6], together: 4, width: 4, steps: 4, repeat: 2 },
  { x: [0, 4], together: 4, width: 1, steps: 4 },
  { x: [130, 67], together: 4, width: 4, steps: 17 }
]

const bytes = (random: SampleRandom, shape: Shape) => ({
  shape,
  dtype: "u8" as const,
  values: Uint8Array.from({ length: sizeOf(shape) }, () => Math.floor(256 * random.nextUniform()))
})

/** Numbers of each kind. */
const contents = [
  { dtype: "f32", sampled: normals },
  { dtype: "bf16", sampled: (random: SampleRandom, x: Shape) => halves(random, x, "bf16") },
  { dtype: "f16", sampled: (random: SampleRandom, x: Shape) => halves(random, x, "f16") },
  { dtype: "u8", sampled: bytes }
] as const

const nameOf = (x: Shape, dtype: string, { steps, together, width }: Omit<TileAttributes, "dtype">): string =>
  `${dtype} ${x.join("x")}, ${steps} turns of ${together}x${width}`

export const tileRowsKernel = defineKernel<"x", "tiles", TileAttributes>({
  name: "tileRows",
  inputs: { x: { dtypes: ["f32", "bf16", "f16", "u8"] } },
  outputs: ["tiles"],
  infer: ({ x }, attributes) => ({ tiles: { shape: tileShape(x, attributes), dtype: attributes.dtype } }),
  reference,
  native,
  gpujs,
  cost: ({ outputs }, { dtype }) => ({ flops: 0, bytes: 2 * elementBytes(dtype) * sizeOf(outputs.tiles) }),
  samples: (random) =>
    cases.flatMap(({ x, ...attributes }) =>
      contents.map(({ dtype, sampled }) => ({
        name: nameOf(x, dtype, attributes),
        inputs: { x: sampled(random, x) },
        attributes: { ...attributes, dtype }
      }))
    ),
  tolerance: { relative: 0, absolute: 0 }
})

export const untileRowsKernel = defineKernel<"tiles", "y", UntileAttributes>({
  name: "untileRows",
  inputs: { tiles: { dtypes: ["f32", "bf16", "f16", "u8"] } },
  outputs: ["y"],
  infer: ({ tiles }, attributes) => ({ y: { shape: untiledShape(tiles, attributes), dtype: attributes.dtype } }),
  reference: referenceUntile,
  native: nativeUntile,
  gpujs: gpujsUntile,
  cost: ({ outputs }, { dtype }) => ({ flops: 0, bytes: 2 * elementBytes(dtype) * sizeOf(outputs.y) }),
  samples: (random) =>
    cases.flatMap(({ x, repeat = 1, ...attributes }) => {
      if (repeat > 1) return []
      const [rows, columns] = x as readonly [number, number]
      return contents.map(({ dtype, sampled }) => ({
        name: nameOf(x, dtype, attributes),
        inputs: { tiles: sampled(random, tileShape(x, attributes)) },
        attributes: { rows, columns, dtype }
      }))
    }),
  tolerance: { relative: 0, absolute: 0 }
})

/** x [N, B] -> [ceil(N / together), steps, together, width], zeros beyond x. f32, bf16, f16 or u8. */
export const tileRows = (x: Tensor, attributes: Omit<TileAttributes, "dtype">): Tensor =>
  apply(tileRowsKernel, { x }, { ...attributes, dtype: x.dtype as TileDType }).tiles

/** Tiles without repeats [T, steps, together, width] -> [rows, columns]. */
export const untileRows = (tiles: Tensor, rows: number, columns: number): Tensor =>
  apply(untileRowsKernel, { tiles }, { rows, columns, dtype: tiles.dtype as TileDType }).y
