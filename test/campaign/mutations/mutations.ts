/**
 * Changed files of every kind that speedq reads, and bombs. Each must be read, or refused by an error of its own, within five seconds
 * and 1 GiB. The readings run in a process that is started again after the case that ended it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { basename, join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Campaign } from "../Campaign.ts"
import { emptyDirectory } from "../runs.ts"
import { countBefore, numbersOf, type Share, sharesOf } from "./shares.ts"
import type { Line, Running } from "./worker.ts"

const worker = fileURLToPath(new URL("worker.ts", import.meta.url))
/** Garbage is collected before it looks like a bomb, and what a reading makes before it looks like something that stays. */
const heap = ["--max-old-space-size=512", "--max-semi-space-size=32"]

type Failure = Exclude<Line, { readonly failure?: undefined }>

/** Why a process ended that the watchdog did not end. A signal is Node's own, which is out of heap. */
const endOf = (code: number | null, stderr: string): Omit<Failure, "at"> => {
  const details = stderr.trim().split("\n").slice(-20).join("\n")
  if (code === null) return { failure: "overMemory", what: "Node gives up", details }
  return { failure: "stacks", what: "an error that nobody catches ends the process", details }
}

/** A process that runs cases. */
interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>
}

/** Runs the cases of a share from `next` on in one process. */
const startWorker = (
  seed: number,
  share: Share,
  next: number,
  scratch: string,
  heard: (line: Line) => void
): Started => {
  const node = [...heap, "--import", "tsx", "-C", "@speedq/source"]
  const args = [...node, worker, String(seed), JSON.stringify(share), String(next), scratch]
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] })
  let stderr = ""
  child.stderr.on("data", (data: Buffer) => {
    stderr += data.toString()
  })
  createInterface({ input: child.stdout }).on("line", (line) => heard(JSON.parse(line)))
  const ended: Started["ended"] = new Promise((resolve) => child.on("close", (code) => resolve({ code, stderr })))
  return { child, ended }
}

/** Fewer cases than this are done before another process has started. */
const fewest = 5000

/** How far a share is: all of its cases before `next` are done, in so many milliseconds of the processor. */
interface Standing {
  next: number
  milliseconds: number
}

/** Runs a share in one process after the other; `told` is called whenever one says how far it is. */
const runShare = async (
  campaign: Campaign,
  share: Share,
  standing: Standing,
  tell: (failure: Failure) => void,
  told: () => void
): Promise<void> => {
  const end = share.from + share.count
  let before = 0
  while (standing.next < end && !campaign.isStopped) {
    let last: Failure | undefined
    const heard = (line: Line) => {
      if (line.failure === undefined) {
        standing.next = line.at
        standing.milliseconds = before + line.milliseconds
        told()
      } else if (line.failure === "hangs" || line.failure === "overMemory") last = line
      else tell(line)
    }
    const place = emptyDirectory(campaign.scratch, `worker-${share.mine}`)
    const { child, ended } = startWorker(campaign.seed, share, standing.next, place, heard)
    const forget = campaign.onStop(() => child.kill("SIGKILL"))
    const { code, stderr } = await ended
    forget()
    if (code === 0 || campaign.isStopped) continue
    const note = join(place, "current")
    const noted = existsSync(note) ? readFileSync(note, "utf8") : ""
    if (noted === "") throw new Error(`the process of the mutations does not start: ${stderr}`)
    const running: Running = JSON.parse(noted)
    const said = last ?? endOf(code, stderr)
    tell({ ...said, at: running.at, what: `${running.what}: ${said.what}`, input: running.file })
    standing.next = running.at + 1
    before = standing.milliseconds
    told()
  }
}

export const mutations = async (campaign: Campaign, count: number, from: number): Promise<void> => {
  if (count === 0) return
  const tell = ({ at, failure, what, details, input = "" }: Failure) => {
    const kept = existsSync(input) ? [[basename(input), readFileSync(input)] as const] : []
    campaign.failed(failure, "mutations", at, what, details, kept)
  }
  const processes = Math.min(availableParallelism(), Math.max(1, Math.floor(count / fewest)))
  const shares = sharesOf(from, count, processes).map((share) => ({ share, standing: { next: from, milliseconds: 0 } }))
  const began = performance.now()
  let said = began
  const told = () => {
    const done = shares.reduce((sum, { share, standing }) => sum + countBefore(share, standing.next), 0)
    if (performance.now() - said < 10_000 && done < count) return
    said = performance.now()
    campaign.progress("mutations", done, count, said - began)
    // What else the machine does changes the one number, and the other hardly.
    const seconds = shares.reduce((sum, { standing }) => sum + standing.milliseconds, 0) / 1000
    campaign.say(`  ${(done / seconds).toPrecision(3)} in a second of a processor`)
  }
  await Promise.all(shares.map(({ share, standing }) => runShare(campaign, share, standing, tell, told)))
  // Of a campaign that was stopped, those count before which none is missing: the rest is done again by whoever goes on.
  const firstMissing = ({ share, standing }: (typeof shares)[number]) =>
    numbersOf(share, standing.next).next().value ?? from + count
  campaign.count("mutations", Math.min(...shares.map(firstMissing)) - from)
}
