import { elementwiseProgram } from "../../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { divided } from "../../backends/gpujs/numbers.ts"
import { sizeOf } from "../../core/Shape.ts"
import { type DynamicCodesAttributes, dynamicBlock, dynamicBook } from "./geometry.ts"

interface Book {
  readonly thread: Thread["thread"]
  readonly constants: { readonly levels: Values; readonly thresholds: Values; readonly signed: number }
}

function largestOfBlock(this: Thread, x: Values) {
  let most = 0
  let lost = 0
  for (let i = 0; i < 256; i++) {
    if (this.thread.x * 256 + i < this.constants.size) {
      const size = Math.abs(x[this.thread.x * 256 + i])
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
  if (lost === 0) {
    return most
  }
  return lost
}

/** How many thresholds a quotient has reached, by halves. */
function code(this: Book, x: Values, scales: Values) {
  const scale = scales[this.thread.x >> 8]
  let quotient = 0
  if (scale > 0) {
    quotient = divided(x[this.thread.x], scale)
  }
  let passed = 0
  let half = 128
  for (let i = 0; i < 8; i++) {
    if (quotient >= this.constants.thresholds[(passed + half - 1) | 0]) {
      passed += half
    }
    half = half * 0.5
  }
  if (this.constants.signed === 0) {
    if (passed === 0) {
      if (quotient > 0) {
        passed = 1
      }
    }
  }
  return passed
}

function value(this: Book, codes: Values, scales: Values) {
  const code = codes[this.thread.x]
  return scales[this.thread.x >> 8] * this.constants.levels[code | 0]
}

export const gpujs: GpujsBody<"x" | "codes" | "scales", never, DynamicCodesAttributes> = {
  programs: ({ inputs }, attributes) => [
    {
      output: "scales",
      compute: largestOfBlock,
      reads: ["x"],
      sizes: { size: sizeOf(inputs.x) },
      extent: [Math.ceil(sizeOf(inputs.x) / dynamicBlock)]
    },
    elementwiseProgram("codes", code, ["x", "scales"], inputs.codes, {
      helpers: [divided],
      constants: { signed: Number(attributes.signed) },
      tables: { thresholds: dynamicBook(attributes).thresholds }
    })
  ]
}

export const gpujsValues: GpujsBody<"codes" | "scales", "y", DynamicCodesAttributes> = {
  programs: ({ outputs }, attributes) => [
    elementwiseProgram("y", value, ["codes", "scales"], outputs.y, {
      tables: { levels: dynamicBook(attributes).levels }
    })
  ]
}
