/** Loading a model directory (`speedq init --config internvl3-1b` makes one): seconds, and memory beside what stays. */
import { Safetensors } from "@speedq/formats"
import { makeNativeBackend } from "@speedq/tensors"
import { loadWeights, openModelDirectory } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type Flags, machine, median } from "./measure.ts"
import { bytesOfWeights } from "./realModel.ts"

/** Largest resident memory of this process so far. */
const peakBytes = (): number => 1024 * process.resourceUsage().maxRSS

export const load = async (flags: Flags) => {
  const path = flags.text("model")
  if (path === undefined)
    throw new Error('load needs --model DIR; "speedq init --config internvl3-1b --out DIR" makes one')
  const backend = await makeNativeBackend(flags.has("threads") ? { threads: flags.number("threads", 1) } : {})
  const matrices = flags.has("f32") ? "f32" : "stored"
  const before = process.memoryUsage.rss()
  // Config and tokenizer count, as they do for a user who waits.
  const open = Effect.gen(function* () {
    const { config } = yield* openModelDirectory(path)
    const { store } = yield* Safetensors.openModel(path)
    return loadWeights(backend, config, store, { matrices })
  }).pipe(Effect.scoped)
  const rounds: { readonly seconds: number; readonly residentBytes: number; readonly peakBytes: number }[] = []
  for (let round = 0; round < flags.number("rounds", 3); round++) {
    const start = performance.now()
    const weights = await Effect.runPromise(open)
    const seconds = (performance.now() - start) / 1000
    rounds.push({ seconds, residentBytes: bytesOfWeights(weights), peakBytes: peakBytes() - before })
    for (const tensor of Object.values(weights)) tensor.release()
  }
  await backend.close()
  const { residentBytes, peakBytes: peak } = rounds[0]!
  const seconds = median(rounds.map((round) => round.seconds))
  return {
    case: "load",
    ...machine(),
    backend: backend.name,
    model: path,
    matrices,
    // The first round takes new pages from the system, and the disk's time where its cache is cold.
    firstSeconds: rounds[0]!.seconds,
    seconds,
    gbPerSecond: residentBytes / seconds / 1e9,
    residentBytes,
    peakBytes: peak,
    peakOfResident: peak / residentBytes
  }
}
