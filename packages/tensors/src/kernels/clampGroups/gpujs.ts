import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { limited, quotient } from "../../backends/gpujs/numbers.ts"

function clamped(this: Thread, weight: Values, low: Values, high: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  return limited(
    weight[this.thread.y * this.constants.columns + this.thread.x],
    low[this.thread.y * this.constants.groups + (group | 0)],
    high[this.thread.y * this.constants.groups + (group | 0)]
  )
}

export const gpujs: GpujsBody<"weight" | "low" | "high", "y"> = {
  programs: ({ inputs }) => {
    const [rows, columns] = inputs.weight as readonly [number, number]
    const groups = inputs.low[1]!
    return [
      {
        output: "y",
        compute: clamped,
        reads: ["weight", "low", "high"],
        constants: { columns, groups, group: columns / groups },
        extent: [columns, rows],
        helpers: [limited, quotient]
      }
    ]
  }
}
