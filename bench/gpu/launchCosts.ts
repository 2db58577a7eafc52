/** Microseconds of a launch: of a program that computes next to nothing, on the host and until the GPU is done. */
import { openBackend, scale, zeros } from "@speedq/tensors"
import { median } from "../measure.ts"
import type { Part } from "./report.ts"
import { waited } from "./waiting.ts"

export const launchCosts: Part = async (print, size) => {
  const backend = await openBackend("gpujs:webgpu")
  const launches = size === "small" ? 256 : 4096
  const x = zeros(backend, [64])
  const round = () =>
    waited(backend, () => {
      for (let i = 0; i < launches; i++) scale(x, 2).release()
    })
  await round()
  const rounds = [await round(), await round(), await round(), await round(), await round()]
  const microseconds = (of: "ms" | "host") => (1000 * median(rounds.map((each) => each[of]))) / launches
  print({ launches, hostMicroseconds: microseconds("host"), microseconds: microseconds("ms") })
  x.release()
  await backend.close()
}
