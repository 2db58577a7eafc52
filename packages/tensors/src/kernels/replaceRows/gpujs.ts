import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { expectDistinctRows, expectRows } from "../operands/shapeRules.ts"

/** Which entry of the index names this row, -1 where none does; the first, of several. */
function sourceOfRow(this: Thread, index: Values) {
  let source = -1
  for (let i = 0; i < this.constants.count; i++) {
    if (index[this.constants.count - 1 - i] === this.thread.x) {
      source = this.constants.count - 1 - i
    }
  }
  return source
}

/** A row of `rows` where one replaces it, of `base` elsewhere. */
export function replaced(this: Thread, base: Values, rows: Values, source: Values) {
  const row = source[this.thread.y]
  if (row < 0) {
    return base[this.thread.y * this.constants.columns + this.thread.x]
  }
  return rows[(row | 0) * this.constants.columns + this.thread.x]
}

function cleared(this: Thread, x: Values, source: Values) {
  if (source[this.thread.y] < 0) {
    return x[this.thread.y * this.constants.columns + this.thread.x]
  }
  return 0
}

/** The program whose output "source" has one entry for each of `rows` rows. */
export const sourceProgram = (rows: number, count: number) => ({
  output: "source",
  compute: sourceOfRow,
  reads: ["index"],
  sizes: { count },
  extent: [rows]
})

export const gpujsReplace: GpujsBody<"base" | "rows" | "index", "y"> = {
  check: ({ index }, { inputs }) => expectDistinctRows("replaceRows", "index", index, inputs.base[0]!),
  programs: ({ inputs }) => {
    const [rows, columns] = inputs.base as readonly [number, number]
    return [
      sourceProgram(rows, inputs.index[0]!),
      {
        output: "y",
        compute: replaced,
        reads: ["base", "rows", "source"],
        constants: { columns },
        extent: [columns, rows]
      }
    ]
  }
}

export const gpujsZero: GpujsBody<"x" | "index", "y"> = {
  check: ({ index }, { inputs }) => expectRows("zeroRows", "index", index, inputs.x[0]!),
  programs: ({ inputs }) => {
    const [rows, columns] = inputs.x as readonly [number, number]
    return [
      sourceProgram(rows, inputs.index[0]!),
      { output: "y", compute: cleared, reads: ["x", "source"], constants: { columns }, extent: [columns, rows] }
    ]
  }
}
