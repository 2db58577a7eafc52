import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { divided, quotient } from "../../backends/gpujs/numbers.ts"

/** alpha = -ln(1.2 / (rest + 0.1) - 1), rest = w / scale - floor(w / scale). */
function alphaOf(this: Thread, weight: Values, scale: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  const steps = divided(
    weight[this.thread.y * this.constants.columns + this.thread.x],
    scale[this.thread.y * this.constants.groups + (group | 0)]
  )
  const rest = steps - Math.floor(steps)
  return -Math.log(1.2 / (rest + 0.1) - 1)
}

export const gpujs: GpujsBody<"weight" | "scale", "alpha"> = {
  programs: ({ inputs }) => {
    const [rows, columns] = inputs.weight as readonly [number, number]
    const groups = inputs.scale[1]!
    return [
      {
        output: "alpha",
        compute: alphaOf,
        reads: ["weight", "scale"],
        constants: { columns, groups, group: columns / groups },
        extent: [columns, rows],
        helpers: [divided, quotient]
      }
    ]
  }
}
