import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"

function prepended(this: Thread, x: Values, row: Values) {
  if (this.thread.y === 0) {
    return row[this.thread.x]
  }
  return x[(this.thread.z * this.constants.count + this.thread.y - 1) * this.constants.columns + this.thread.x]
}

function dropped(this: Thread, x: Values) {
  return x[(this.thread.z * this.constants.count + this.thread.y + 1) * this.constants.columns + this.thread.x]
}

export const gpujsPrepend: GpujsBody<"x" | "row", "y"> = {
  programs: ({ inputs }) => {
    const [tiles, count, columns] = inputs.x as readonly [number, number, number]
    const constants = { count, columns }
    return [{ output: "y", compute: prepended, reads: ["x", "row"], constants, extent: [columns, count + 1, tiles] }]
  }
}

export const gpujsDropFirst: GpujsBody<"x", "y"> = {
  programs: ({ inputs }) => {
    const [tiles, count, columns] = inputs.x as readonly [number, number, number]
    const constants = { count, columns }
    return [{ output: "y", compute: dropped, reads: ["x"], constants, extent: [columns, count - 1, tiles] }]
  }
}
