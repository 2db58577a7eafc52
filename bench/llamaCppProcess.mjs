/** A process that generates with llama.cpp by its native addon for Node and measures itself: milliseconds of a token. */
import { createRequire } from "node:module"

const { LlamaContext } = createRequire(import.meta.url)("@fugood/node-llama-linux-x64")

/** A second completion on one context fails. */
const complete = async ({ path, threads }, tokens) => {
  const context = new LlamaContext({
    model: path,
    n_ctx: 1024,
    n_batch: 512,
    n_gpu_layers: 0,
    n_threads: threads,
    n_threads_batch: threads
  })
  const before = process.cpuUsage()
  const { timings } = await context.completion({
    prompt: "!",
    temperature: 0,
    top_k: 1,
    ignore_eos: true,
    n_predict: tokens
  })
  const { user, system } = process.cpuUsage(before)
  // Its speed depends on the instructions that it has.
  const build = context.getSystemInfo().replace(/^.*?\| */, "")
  await context.release()
  return {
    build,
    wallMs: timings.predicted_ms / timings.predicted_n,
    cpuMs: (user + system) / 1000,
    made: timings.predicted_n
  }
}

process.on("message", async ({ tokens, ...model }) => {
  // What comes before the first token takes its time, too, in both.
  const first = await complete(model, 1)
  const all = await complete(model, tokens + 1)
  process.send({ build: all.build, wallMs: all.wallMs, cpuMs: (all.cpuMs - first.cpuMs) / (all.made - first.made) })
})
