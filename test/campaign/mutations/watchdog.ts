/** A thread that sees a process in which a case takes too long or too much memory, says so, and kills it. */
import { Worker } from "node:worker_threads"
import { limits } from "../Campaign.ts"

/** Runs in the thread, as text: it needs no module of ours. */
const watching = `
const { workerData } = require("node:worker_threads")
const { writeSync } = require("node:fs")
const { current, milliseconds, patience, bytes } = workerData
const used = () => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
let seen = -1
let began = { wall: 0, processor: 0 }
setInterval(() => {
  const at = Atomics.load(current, 0)
  if (at !== seen) {
    seen = at
    began = { wall: performance.now(), processor: used() }
  }
  const hangs = at >= 0 && (used() - began.processor > milliseconds || performance.now() - began.wall > patience)
  const peak = process.resourceUsage().maxRSS * 1024
  const failure = hangs ? "hangs" : peak > bytes ? "overMemory" : undefined
  if (failure === undefined) return
  const what = hangs ? "it takes more than " + milliseconds + " ms of the processor" : "it takes " + peak + " bytes"
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
