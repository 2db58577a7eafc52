import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { asMatrix } from "../../core/Shape.ts"
import type { SplitAttributes } from "./geometry.ts"

function part(this: Thread, x: Values) {
  return x[this.thread.y * this.constants.width + this.constants.offset + this.thread.x]
}

function joined(this: Thread, first: Values, second: Values, third: Values) {
  if (this.thread.x < this.constants.a) {
    return first[this.thread.y * this.constants.a + this.thread.x]
  }
  if (this.thread.x < this.constants.a + this.constants.b) {
    return second[this.thread.y * this.constants.b + this.thread.x - this.constants.a]
  }
  return third[this.thread.y * this.constants.c + this.thread.x - this.constants.a - this.constants.b]
}

const names = ["first", "second", "third"] as const

export const gpujsSplit: GpujsBody<"x", "first" | "second" | "third", SplitAttributes> = {
  programs: ({ inputs }, { widths }) => {
    const { rows, columns: width } = asMatrix(inputs.x)
    return names.map((output, index) => {
      const offset = widths.slice(0, index).reduce((sum, before) => sum + before, 0)
      return { output, compute: part, reads: ["x"], constants: { width, offset }, extent: [widths[index]!, rows] }
    })
  }
}

export const gpujsJoin: GpujsBody<"first" | "second" | "third", "y"> = {
  programs: ({ inputs }) => {
    const [a, b, c] = names.map((name) => inputs[name].at(-1)!) as [number, number, number]
    const { rows } = asMatrix(inputs.first)
    return [{ output: "y", compute: joined, reads: names, constants: { a, b, c }, extent: [a + b + c, rows] }]
  }
}
