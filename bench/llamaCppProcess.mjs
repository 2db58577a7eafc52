/** A process that generates with llama.cpp by node-llama-cpp and measures itself: milliseconds of a token, in median and on processors. */
import { getLlama } from "node-llama-cpp"

const open = async ({ path, threads }) => {
  const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, maxThreads: threads })
  const model = await llama.loadModel({ modelPath: path })
  const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads })
  // The instructions that the library uses, of those that it was built for: its speed depends on them.
  const build = llama.systemInfo.replace(/\s+/g, " ").trim()
  return { build, sequence: context.getSequence() }
}

let opened

process.on("message", async ({ prompt, tokens, ...model }) => {
  opened ??= open(model)
  const { build, sequence } = await opened
  await sequence.clearHistory()
  const times = []
  let last = performance.now()
  let started = process.cpuUsage()
  for await (const _ of sequence.evaluate(Array(prompt).fill(0), { temperature: 0, yieldEogToken: true })) {
    const now = performance.now()
    times.push(now - last)
    // The first comes with the prompt.
    if (times.length === 1) started = process.cpuUsage()
    if (times.length > tokens) break
    last = performance.now()
  }
  const { user, system } = process.cpuUsage(started)
  const sorted = times.slice(1).sort((a, b) => a - b)
  process.send({ build, wallMs: sorted[sorted.length >> 1], cpuMs: (user + system) / 1000 / tokens })
})
