/** A thread that sees a process in which a case takes too long or too much memory, says so, and kills it. */
import { Worker } from "node:worker_threads"
import { limits } from "../Campaign.ts"

/** Runs in the thread, as text: it needs no module of ours. */
const watching = `
const { workerData } = require("node:worker_threads")
const { readFileSync, writeSync } = require("node:fs")
const { current, milliseconds, patience, bytes } = workerData
const used = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
// Milliseconds in which the process could have worked and got no processor, as Linux tells: where others use all of them, it waits long.
const waited = () => {
  try {
    return Number(readFileSync("/proc/self/schedstat", "utf8").split(" ")[1]) / 1e6
  } catch {
    return 0
  }
}
const now = () => ({ own: performance.now() - waited(), processor: used() })
let seen = -1
let began = now()
setInterval(() => {
  const at = Atomics.load(current, 0)
  if (at !== seen) {
    seen = at
    began = now()
  }
  const { own, processor } = now()
  const works = at >= 0 && processor - began.processor > milliseconds
  const stands = at >= 0 && own - began.own > patience
  const hangs = works || stands
  const peak = process.resourceUsage().maxRSS * 1024
  const failure = hangs ? "hangs" : peak > bytes ? "overMemory" : undefined
  if (failure === undefined) return
  const told = works ? "it takes more than " + milliseconds + " ms of the processor" : "it does not end within " + patience + " ms"
  const what = hangs ? told : "it takes " + peak + " bytes"
  writeSync(1, JSON.stringify({ at, failure, what }) + "\\n")
  process.kill(process.pid, "SIGKILL")
}, 50)`

/** Starts it; what is returned is told which case runs, and when none does. */
export const startWatchdog = (): ((at: number | undefined) => void) => {
  const current = new Int32Array(new SharedArrayBuffer(4)).fill(-1)
  const worker = new Worker(watching, { eval: true, workerData: { current, ...limits } })
  worker.unref()
  return (at) => void Atomics.store(current, 0, at ?? -1)
}
