/**
 * Changed files of every kind that speedq reads, and bombs. Each must be read, or refused by an error of its own, within five seconds
 * and 1 GiB. The readings run in a process that is started again after the case that ended it.
 */
import { spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
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

/** Fewer cases than this are done before another process has started. */
const fewest = 5000

/** Cases of which each goes to one of a few processes: their numbers follow each other. */
interface Share {
  readonly from: number
  readonly count: number
  /** The name of its directory. */
  readonly name: string
}

const sharesOf = (from: number, count: number): readonly Share[] => {
  const processes = Math.min(availableParallelism(), Math.max(1, Math.floor(count / fewest)))
  const first = (share: number) => from + Math.floor((count * share) / processes)
  return Array.from({ length: processes }, (_, share) => ({
    from: first(share),
    count: first(share + 1) - first(share),
    name: `worker-${share}`
  }))
}

/** Runs a share in one process after the other; `done` is told how many more cases are. */
const runShare = async (
  { seed, scratch }: Campaign,
  { from, count, name }: Share,
  tell: (failure: Failure) => void,
  done: (cases: number) => void
): Promise<void> => {
  let next = from
  const reach = (at: number) => {
    done(at - next)
    next = at
  }
  while (next < from + count) {
    let last: Failure | undefined
    const heard = (line: Line) => {
      if (line.failure === undefined) reach(line.at)
      else if (line.failure === "hangs" || line.failure === "overMemory") last = line
      else tell(line)
    }
    const place = emptyDirectory(scratch, name)
    const { code, stderr } = await runWorker(seed, next, from + count - next, place, heard)
    if (code === 0) continue
    const note = join(place, "current")
    const noted = existsSync(note) ? readFileSync(note, "utf8") : ""
    if (noted === "") throw new Error(`the process of the mutations does not start: ${stderr}`)
    const running: Running = JSON.parse(noted)
    const said = last ?? endOf(code, stderr)
    tell({ ...said, at: running.at, what: `${running.what}: ${said.what}`, input: running.file })
    reach(running.at + 1)
  }
}

export const mutations = async (campaign: Campaign, count: number, from: number): Promise<void> => {
  if (count === 0) return
  const tell = ({ at, failure, what, details, input = "" }: Failure) => {
    const kept = existsSync(input) ? [[basename(input), readFileSync(input)] as const] : []
    campaign.failed(failure, "mutations", at, what, details, kept)
  }
  const began = performance.now()
  let told = began
  let ready = 0
  const done = (cases: number) => {
    ready += cases
    campaign.count("mutations", cases)
    if (performance.now() - told < 10_000 && ready < count) return
    told = performance.now()
    campaign.progress("mutations", ready, count, told - began)
  }
  await Promise.all(sharesOf(from, count).map((share) => runShare(campaign, share, tell, done)))
}
