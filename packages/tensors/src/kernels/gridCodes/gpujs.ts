import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { divided, halfEven, limited, quotient } from "../../backends/gpujs/numbers.ts"
import { type GridAttributes, gridGroup } from "./geometry.ts"

function codeOf(this: Thread, weight: Values, scale: Values, zero: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  const steps = divided(
    weight[this.thread.y * this.constants.columns + this.thread.x],
    scale[this.thread.y * this.constants.groups + (group | 0)]
  )
  return limited(
    halfEven(Math.fround(steps + zero[this.thread.y * this.constants.groups + (group | 0)])),
    0,
    this.constants.most
  )
}

function weightOf(this: Thread, codes: Values, scale: Values, zero: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  return (
    scale[this.thread.y * this.constants.groups + (group | 0)] *
    Math.fround(
      codes[this.thread.y * this.constants.columns + this.thread.x] -
        zero[this.thread.y * this.constants.groups + (group | 0)]
    )
  )
}

const helpers = [divided, halfEven, limited, quotient]

export const gpujsCodes: GpujsBody<"weight" | "scale" | "zero", "codes", GridAttributes> = {
  programs: ({ inputs: { weight, scale, zero } }, attributes) => {
    const group = gridGroup("gridCodes", weight, scale, zero, attributes)
    const [rows, columns] = weight as readonly [number, number]
    return [
      {
        output: "codes",
        compute: codeOf,
        reads: ["weight", "scale", "zero"],
        constants: { group, columns, groups: columns / group, most: 2 ** attributes.bits - 1 },
        extent: [columns, rows],
        helpers
      }
    ]
  }
}

export const gpujsDecode: GpujsBody<"codes" | "scale" | "zero", "y", GridAttributes> = {
  programs: ({ inputs: { codes, scale, zero } }, attributes) => {
    const group = gridGroup("gridDecode", codes, scale, zero, attributes)
    const [rows, columns] = codes as readonly [number, number]
    return [
      {
        output: "y",
        compute: weightOf,
        reads: ["codes", "scale", "zero"],
        constants: { group, columns, groups: columns / group },
        extent: [columns, rows],
        helpers
      }
    ]
  }
}
