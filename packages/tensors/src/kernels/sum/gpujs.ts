import type { GpujsBody } from "../../backends/gpujs/GpujsBody.ts"
import { plainSumAll } from "../../backends/gpujs/reductions.ts"
import { sizeOf } from "../../Shape.ts"

export const gpujs: GpujsBody<"x", "y"> = {
  programs: ({ inputs }) => plainSumAll("y", "x", sizeOf(inputs.x))
}
