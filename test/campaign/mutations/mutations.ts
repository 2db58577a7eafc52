/**
 * Changed files of every kind that speedq reads, and bombs. Each must be read, or refused by an error of its own, within five seconds
 * and 1 GiB. The readings run in a process that is started again after the case that ended it.
 */
import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Campaign } from "../Campaign.ts"
import { emptyDirectory } from "../runs.ts"
import type { Line, Running } from "./worker.ts"

const worker = fileURLToPath(new URL("worker.ts", import.meta.url))
/** Garbage is collected before it looks like a bomb. */
const heapMegabytes = 512

type Failure = Exclude<Line, { readonly failure?: undefined }>

/** Why a process ended that the watchdog did not end. A signal is Node's own, which is out of heap. */
const endOf = (code: number | null, stderr: string): Omit<Failure, "at"> => {
  const details = stderr.trim().split("\n").slice(-20).join("\n")
  if (code === null) return { failure: "overMemory", what: "Node gives up", details }
  return { failure: "stacks", what: "an error that nobody catches ends the process", details }
}

/** Runs cases in one process, and tells how it ended. */
const runWorker = (seed: number, from: number, count: number, scratch: string, heard: (line: Line) => void) =>
  new Promise<{ readonly code: number | null; readonly stderr: string }>((resolve) => {
    const node = [`--max-old-space-size=${heapMegabytes}`, "--import", "tsx", "-C", "@speedq/source"]
    const args = [...node, worker, String(seed), String(from), String(count), scratch]
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
    let stderr = ""
    child.stderr.on("data", (data: Buffer) => {
      stderr += data.toString()
    })
    createInterface({ input: child.stdout }).on("line", (line) => heard(JSON.parse(line)))
    child.on("close", (code) => resolve({ code, stderr }))
  })

export const mutations = async (campaign: Campaign, count: number, from: number): Promise<void> => {
  if (count === 0) return
  const { seed, scratch } = campaign
  const tell = ({ at, failure, what, details, input = "" }: Failure) => {
    const kept = existsSync(input) ? [[basename(input), readFileSync(input)] as const] : []
    campaign.failed(failure, "mutations", at, what, details, kept)
  }
  const began = performance.now()
  let told = began
  let next = from
  while (next < from + count) {
    const first = next
    let last: Failure | undefined
    const heard = (line: Line) => {
      if (line.failure === undefined) next = line.at
      else if (line.failure === "hangs" || line.failure === "overMemory") last = line
      else tell(line)
      if (performance.now() - told < 10_000) return
      told = performance.now()
      campaign.progress("mutations", next - from, count, told - began)
    }
    const place = emptyDirectory(scratch, "worker")
    const { code, stderr } = await runWorker(seed, next, from + count - next, place, heard)
    if (code !== 0) {
      const note = join(place, "current")
      const noted = existsSync(note) ? readFileSync(note, "utf8") : ""
      if (noted === "") throw new Error(`the process of the mutations does not start: ${stderr}`)
      const running: Running = JSON.parse(noted)
      const said = last ?? endOf(code, stderr)
      tell({ ...said, at: running.at, what: `${running.what}: ${said.what}`, input: running.file })
      next = running.at + 1
    }
    campaign.count("mutations", next - first)
  }
  campaign.progress("mutations", count, count, performance.now() - began)
}
