import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"

function swapped(this: Thread, x: Values) {
  return x[this.thread.x * this.constants.columns + this.thread.y]
}

export const gpujs: GpujsBody<"x", "y"> = {
  programs: ({ inputs }) => {
    const [rows, columns] = inputs.x as readonly [number, number]
    return [{ output: "y", compute: swapped, reads: ["x"], constants: { columns }, extent: [rows, columns] }]
  }
}
