/**
 * y[n] = row index[n] of a matrix of codes [rows, columns] in a little-endian bit stream (unpackCodes): packed embeddings.
 * A row may begin within a byte.
 */
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { indexNumbers, type NativeBody, reading, shared, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { ShapeMismatch } from "../core/Errors.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { type Shape, sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { integers } from "./operands/samples.ts"
import { expectBits, expectRows } from "./operands/shapeRules.ts"

/** How codes are packed. */
interface GatherCodesAttributes {
  /** Bits of a code. */
  readonly bits: number
  /** Rows of the packed matrix, and codes of a row. */
  readonly rows: number
  readonly columns: number
}

/** codes[n, c] = bits [i b, (i + 1) b) of the stream, i = index[n] columns + c, lowest bit first. */
const reference = (
  { packed, index }: Arrays<"packed" | "index">,
  { codes }: Arrays<"codes">,
  _geometry: Geometry<"packed" | "index", "codes">,
  { bits, rows, columns }: GatherCodesAttributes
): void => {
  expectRows("gatherCodes", "index", index, rows)
  for (const [n, row] of index.entries()) {
    for (let c = 0; c < columns; c++) {
      const bit = (row * columns + c) * bits
      const first = Math.floor(bit / 8)
      const pair = packed[first]! + 256 * (packed[first + 1] ?? 0)
      codes[n * columns + c] = Math.floor(pair / 2 ** (bit % 8)) % 2 ** bits
    }
  }
}

/** Eight codes take `bits` bytes: the place of a code among its eight keeps numbers of bits small. */
function gathered(this: Thread, packed: Values, index: Values) {
  const row = index[this.thread.y]
  const code = (row | 0) * this.constants.columns + this.thread.x
  const bit = (code & 7) * this.constants.bits
  const first = (code >> 3) * this.constants.bits + (bit >> 3)
  let second = 0
  if (first + 1 < this.constants.bytes) {
    second = packed[first + 1]
  }
  const pair = packed[first] + 256 * second
  return ((pair | 0) >> (bit & 7)) & this.constants.mask
}

const gpujs: GpujsBody<"packed" | "index", "codes", GatherCodesAttributes> = {
  check: ({ index }, _geometry, { rows }) => expectRows("gatherCodes", "index", index, rows),
  programs: ({ inputs }, { bits, columns }) => [
    {
      output: "codes",
      compute: gathered,
      reads: ["packed", "index"],
      constants: { bits, columns, mask: 2 ** bits - 1 },
      sizes: { bytes: inputs.packed[0]! },
      extent: [columns, sizeOf(inputs.index)]
    }
  ]
}

const native: NativeBody<"packed" | "index", "codes", GatherCodesAttributes> = (
  engine,
  { inputs: { packed, index }, outputs: { codes }, attributes }
) => {
  const { bits, rows, columns } = attributes
  expectRows("gatherCodes", "index", indexNumbers(engine, index), rows)
  engine.rows({
    entry: "gatherCodes",
    rows: sizeOf(index.shape),
    operands: [shared(packed), reading(index, 4), writing(codes, columns)],
    scalars: [columns, bits, sizeOf(packed.shape)]
  })
}

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
    expectBits("gatherCodes", bits)
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
