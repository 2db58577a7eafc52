/** Run as a process of its own under a limit of file size: writes 1 MiB of data to argv[2] and prints the failure. */
import * as Effect from "effect/Effect"
import { Safetensors } from "../src/index.ts"

const path = process.argv[2]!
const data = Effect.succeed(new Uint8Array(2 ** 20))
const outcome = Effect.flip(Safetensors.write(path, [{ name: "w", dtype: "U8", shape: [2 ** 20], data }]))
Effect.runPromise(outcome).then((error) => console.log(JSON.stringify(error)))
