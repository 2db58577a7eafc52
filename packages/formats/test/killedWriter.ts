/** Run as a process of its own: writes half of a safetensors file to argv[2] and kills itself. */
import * as Effect from "effect/Effect"
import { Safetensors } from "../src/index.ts"

const path = process.argv[2]!
const half = Effect.sync(function* () {
  yield new Uint8Array(2 ** 20)
  process.kill(process.pid, "SIGKILL")
  yield new Uint8Array(2 ** 20)
})
Effect.runFork(Safetensors.write(path, [{ name: "w", dtype: "U8", shape: [2, 2 ** 20], data: half }]))
