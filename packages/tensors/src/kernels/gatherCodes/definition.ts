/**
 * y[n] = row index[n] of a matrix of codes [rows, columns] in a little-endian bit stream (unpackCodes): packed embeddings.
 * A row may begin within a byte.
 */
import { apply } from "../../apply.ts"
import { InvalidAttribute, ShapeMismatch } from "../../Errors.ts"
import { defineKernel } from "../../Kernel.ts"
import { type Shape, sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { integers } from "../samples.ts"
import { expectInteger } from "../shapeRules.ts"
import type { GatherCodesAttributes } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

const cases: readonly { readonly rows: number; readonly columns: number; readonly index: Shape }[] = [
  { rows: 1, columns: 1, index: [1] },
  { rows: 5, columns: 17, index: [3] },
  { rows: 3, columns: 64, index: [2, 5] },
  { rows: 4, columns: 3, index: [0] },
  { rows: 131, columns: 67, index: [257] }
]

export const gatherCodesKernel = defineKernel<"packed" | "index", "codes", GatherCodesAttributes>({
  name: "gatherCodes",
  inputs: { packed: { dtypes: ["u8"] }, index: { dtypes: ["i32"] } },
  outputs: ["codes"],
  infer: ({ packed, index }, { bits, rows, columns }) => {
    expectInteger("gatherCodes", "bits", bits, 1)
    if (bits > 8) throw new InvalidAttribute("gatherCodes", "bits", bits, "at most 8")
    const bytes = Math.ceil((rows * columns * bits) / 8)
    if (packed.length !== 1 || packed[0] !== bytes) {
      throw new ShapeMismatch("gatherCodes", "packed", `[${bytes}] for ${rows} x ${columns} of ${bits} bits`, packed)
    }
    return { codes: { shape: [...index, columns], dtype: "u8" } }
  },
  reference,
  native,
  gpujs,
  cost: ({ outputs }, { bits }) => ({ flops: 0, bytes: (1 + bits / 8) * sizeOf(outputs.codes) }),
  samples: (random) =>
    [1, 2, 3, 4, 8].flatMap((bits) =>
      cases.map(({ rows, columns, index }) => {
        const bytes = Math.ceil((rows * columns * bits) / 8)
        const values = Uint8Array.from({ length: bytes }, () => random.nextUniform() * 256)
        return {
          name: `${index.join("x")} of ${rows}x${columns} b${bits}`,
          inputs: { packed: { shape: [bytes], dtype: "u8" as const, values }, index: integers(random, index, rows) },
          attributes: { bits, rows, columns }
        }
      })
    ),
  tolerance: { relative: 0, absolute: 0 }
})

/** Rows of packed codes: packed u8 [ceil(rows columns bits / 8)], index i32 [n...] -> u8 [n..., columns]. Raises InvalidIndex where the backend can look. */
export const gatherCodes = (packed: Tensor, index: Tensor, attributes: GatherCodesAttributes): Tensor =>
  apply(gatherCodesKernel, { packed, index }, attributes).codes
