import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { perWeight } from "../../backends/gpujs/groups.ts"
import { divided, halfEven, limited, quotient, roundFloat16, roundSignificand } from "../../backends/gpujs/numbers.ts"
import { type GridAttributes, type GridCodesAttributes, gridGroup } from "./geometry.ts"

function codeOf(this: Thread, weight: Values, scale: Values, zero: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  const steps = divided(
    weight[this.thread.y * this.constants.columns + this.thread.x],
    scale[this.thread.y * this.constants.groups + (group | 0)]
  )
  const origin = zero[this.thread.y * this.constants.groups + (group | 0)]
  let open = Math.fround(steps + origin)
  if (this.constants.half > 0.5) {
    open = roundFloat16(roundFloat16(steps) + origin)
  }
  return limited(halfEven(open), 0, this.constants.most)
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

const helpers = [divided, halfEven, roundSignificand, roundFloat16, limited, quotient]

export const gpujsCodes: GpujsBody<"weight" | "scale" | "zero", "codes", GridCodesAttributes> = {
  programs: ({ inputs: { weight, scale, zero } }, attributes) => {
    const group = gridGroup("gridCodes", weight, scale, zero, attributes)
    const { constants, extent } = perWeight(weight, group)
    const half = attributes.arithmetic === "f16" ? 1 : 0
    return [
      {
        output: "codes",
        compute: codeOf,
        reads: ["weight", "scale", "zero"],
        constants: { ...constants, most: 2 ** attributes.bits - 1, half },
        extent,
        helpers
      }
    ]
  }
}

export const gpujsDecode: GpujsBody<"codes" | "scale" | "zero", "y", GridAttributes> = {
  programs: ({ inputs: { codes, scale, zero } }, attributes) => {
    const group = gridGroup("gridDecode", codes, scale, zero, attributes, "codes")
    return [
      {
        output: "y",
        compute: weightOf,
        reads: ["codes", "scale", "zero"],
        ...perWeight(codes, group),
        helpers
      }
    ]
  }
}
