import type { GpujsBody, GpujsProgram, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { divided, halfEven, quotient } from "../../backends/gpujs/numbers.ts"
import { chunkColumns, type LinearCodesAttributes, linearCodesExtents } from "./geometry.ts"

/** Without a step or a bias their places are taken by other operands, which are not read. */
function affine(this: Thread, x: Values, codes: Values, grid: Values, origin: Values, step: Values, bias: Values) {
  let sum = 0
  const shared = quotient(this.thread.x, this.constants.sharing)
  for (let j = 0; j < this.constants.steps; j++) {
    const both = grid[((this.thread.x >> 2) * this.constants.steps + j) * 4 + (this.thread.x & 3)]
    const zero = Math.floor(both / 16)
    let factor = 0
    if (this.constants.stepped === 1) {
      factor =
        origin[(shared | 0) * this.constants.steps + j] +
        step[(shared | 0) * this.constants.steps + j] * (both - 16 * zero)
    }
    if (this.constants.stepped === 0) {
      if (this.constants.byRows === 1) {
        factor = origin[((this.thread.x >> 2) * this.constants.steps + j) * 4 + (this.thread.x & 3)]
      }
      if (this.constants.byRows === 0) {
        factor =
          origin[(((this.thread.x >> 2) * this.constants.chunks + (j >> 2)) * 4 + (this.thread.x & 3)) * 4 + (j & 3)]
      }
    }
    for (let i = 0; i < this.constants.columnsOfStep; i++) {
      const column = j * this.constants.columnsOfStep + i
      // The last chunk may be filled up.
      if (column < this.constants.k) {
        const bit = column * this.constants.bits
        const byte =
          codes[
            (((this.thread.x >> 2) * this.constants.chunks + ((bit | 0) >> 7)) * 4 + (this.thread.x & 3)) * 16 +
              (((bit | 0) >> 3) & 15)
          ]
        const code = ((byte | 0) >> ((bit | 0) & 7)) & this.constants.mask
        sum += x[this.thread.y * this.constants.k + (column | 0)] * (factor * (code - zero))
      }
    }
  }
  if (this.constants.biased === 1) {
    sum += bias[this.thread.x]
  }
  return sum
}

/** A number of x in steps of max |x| / 127 of its chunk. */
function inBytes(this: Thread, x: Values) {
  let most = 0
  let lost = 0
  for (let i = 0; i < this.constants.columns; i++) {
    if ((this.thread.x >> this.constants.shift) * this.constants.columns + i < this.constants.k) {
      const size = Math.abs(
        x[this.thread.y * this.constants.k + (this.thread.x >> this.constants.shift) * this.constants.columns + i]
      )
      if (size > most) {
        most = size
      }
      let known = 0
      if (size >= 0) {
        known = 1
      }
      if (known === 0) {
        lost = size // NaN
      }
    }
  }
  let value = lost
  if (lost === 0) {
    // Smaller ones are zeros: 2^-100.
    if (most >= 7.888609052210118e-31) {
      const number = x[this.thread.y * this.constants.k + this.thread.x]
      value = divided(most, 127) * halfEven(Math.fround(number * divided(127, most)))
    }
  }
  return value
}

export const gpujs: GpujsBody<"x" | "codes" | "grid" | "origin" | "step" | "bias", "y", LinearCodesAttributes> = {
  programs: ({ inputs }, attributes) => {
    const { m, n, k, group, byRows, chunks, steps, sharing } = linearCodesExtents(inputs, attributes)
    const { bits, activations } = attributes
    const columns = chunkColumns(bits)
    const biased = "bias" in inputs
    const rounded: GpujsProgram = {
      output: "rounded",
      compute: inBytes,
      reads: ["x"],
      constants: { k, columns, shift: Math.log2(columns) },
      helpers: [divided, halfEven],
      extent: [k, m]
    }
    const x = activations === "int8" ? "rounded" : "x"
    const product: GpujsProgram = {
      output: "y",
      compute: affine,
      reads: [x, "codes", "grid", "origin", sharing > 0 ? "step" : "origin", biased ? "bias" : x],
      constants: {
        k,
        bits,
        mask: 2 ** bits - 1,
        chunks,
        steps,
        columnsOfStep: byRows ? group : columns / 4,
        byRows: Number(byRows),
        stepped: Number(sharing > 0),
        sharing: Math.max(1, sharing),
        biased: Number(biased)
      },
      helpers: [quotient],
      extent: [n, m]
    }
    return activations === "int8" ? [rounded, product] : [product]
  }
}
