/**
 * Operations that fail: the n-th of a run, once or from then on, with each error that a system has for it; a write that takes half of
 * its bytes. And files that are damaged between two runs. The run must end or say what is wrong in an error of its own; when it is
 * continued, everything that it said to be saved is there, and it ends with the same bytes.
 */
import { cpSync, rmSync, writeFileSync } from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import { isReading, type Operation, watch } from "../../packages/pipeline/test/toy/operations.ts"
import { type Campaign, casesFrom } from "./Campaign.ts"
import { preparedChain } from "./kills/Chain.ts"
import { buildShim } from "./kills/shim.ts"
import { Random } from "./Random.ts"
import {
  describeError,
  emptyDirectory,
  filesOf,
  lost,
  nothingTold,
  runToyHere,
  type Standing,
  wrongAfter
} from "./runs.ts"

/** What systems say. */
const codes = {
  changing: ["ENOSPC", "EIO", "EDQUOT", "EROFS", "EACCES", "EPERM"],
  opening: ["EMFILE", "ENFILE", "EACCES", "EIO"],
  reading: ["EIO", "EACCES", "ESTALE"]
}

/** The errors of one operation. */
const codesOf = (operation: Operation): readonly string[] => {
  if (operation.kind === "open") return codes.opening
  return isReading(operation) ? codes.reading : codes.changing
}

/** One case in so many is a process of all real stages, in which the system refuses below JavaScript. */
const nanoEvery = 100
/** Of the changes that such a process makes one fails. */
const nanoChanges = 250

/** One case in so many damages a file that nobody has open. */
const damageEvery = 4

const isBelow = (directory: string) => (operation: Operation) => `${operation.path}/`.startsWith(`${directory}/`)

/** What a run begins with. */
interface Start {
  /** A directory that is copied; none for a run that begins. */
  readonly template?: string
  /** What is saved there. */
  readonly promised: Standing
  /** How many operations it has from there, if nothing fails. */
  readonly operations: number
}

/** An own directory that holds what a run begins with. */
const begun = (scratch: string, { template }: Pick<Start, "template">): string => {
  const directory = join(emptyDirectory(scratch, "begun"), "run")
  if (template !== undefined) cpSync(template, directory, { recursive: true })
  return directory
}

/** Counts the operations of a run that nothing disturbs. */
const startOf = async (scratch: string, promised: Standing, template?: string): Promise<Start> => {
  const from = template === undefined ? {} : { template }
  const directory = begun(scratch, from)
  let operations = 0
  const below = isBelow(directory)
  watch({ after: (operation) => void (operations += below(operation) ? 1 : 0) })
  await runToyHere(directory)
  watch({})
  return { ...from, promised, operations }
}

/** Lets operation `at` below a directory fail, or write half; says what it did. */
const failing = (random: Random, directory: string, at: number): (() => string) => {
  const below = isBelow(directory)
  const remains = random.chance(0.4)
  const short = random.chance(0.1)
  let count = 0
  let code: string | undefined
  let what = "nothing failed"
  watch({
    before: (operation) => {
      if (!below(operation)) return undefined
      count++
      if (count < at) return undefined
      if (count === at) {
        code = random.of(codesOf(operation))
        what = `${code} at ${operation.kind} ${operation.path}${remains ? ", and from then on" : ""}`
        if (short && operation.kind === "write") what = `half a write to ${operation.path}`
      } else if (!remains) return undefined
      if (operation.kind === "write" && short) return { bytes: Math.max(1, operation.bytes.length >> 1) }
      // What cannot be changed any more can still be read.
      return count === at || codesOf(operation).includes(code!) ? { code: code! } : undefined
    }
  })
  return () => what
}

/** A run in which an operation fails, and one that continues it. */
const fail = async (campaign: Campaign, at: number, starts: readonly Start[]): Promise<void> => {
  const random = new Random(campaign.seed, at)
  const start = random.of(starts)
  const directory = begun(campaign.scratch, start)
  const told = nothingTold()
  const what = failing(random, directory, 1 + random.below(start.operations))
  const ending = await runToyHere(directory, told)
  watch({})
  const failed = (failure: "stacks" | "lost", wrong: string, details = "") =>
    campaign.failed(failure, "faults", at, wrong, `${what()}\n${details}`, filesOf(directory))
  if (!ending.typed) {
    const { error } = ending
    const name = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    failed("stacks", name, describeError(error))
  }
  const begunAgain = [...start.promised].filter(([place]) => told.wentOnAt.has(place))
  const behind = lost(new Map(begunAgain), told.wentOnAt)
  if (behind !== undefined) failed("lost", `${behind}, where an operation failed`)
  const promised = new Map([...start.promised, ...told.acknowledged])
  const wrong = await wrongAfter(campaign.scratch, directory, promised)
  if (wrong !== undefined) failed("lost", wrong)
}

/** Damages one file as disks and people do. */
const damage = (random: Random, directory: string): string => {
  const [name, bytes] = random.of(filesOf(directory))
  const file = join(directory, name)
  const at = random.below(bytes.length + 1)
  const kind = random.of(["flipped", "cut", "zeros", "longer", "gone", "of another"] as const)
  const changed = Uint8Array.from(bytes)
  if (kind === "flipped" && at < changed.length) changed[at] = changed[at]! ^ (1 << random.below(8))
  if (kind === "zeros") changed.fill(0, at, Math.min(at + 4096, changed.length))
  if (kind === "gone") rmSync(file)
  else if (kind === "cut") writeFileSync(file, bytes.subarray(0, at))
  else if (kind === "longer") writeFileSync(file, Buffer.concat([bytes, bytes.subarray(at)]))
  else if (kind === "of another") writeFileSync(file, random.of(filesOf(directory))[1])
  else writeFileSync(file, changed)
  return `${name}: ${kind} at ${at} of ${bytes.length}`
}

/** A run that stopped in its second stage, or a finished one, with a damaged file. */
const damaged = async (campaign: Campaign, at: number, starts: readonly Start[]): Promise<void> => {
  const random = new Random(campaign.seed, at)
  const directory = begun(campaign.scratch, random.of(starts))
  const what = damage(random, directory)
  const input = filesOf(directory)
  const wrong = await wrongAfter(campaign.scratch, directory, new Map())
  if (wrong !== undefined) campaign.failed("lost", "faults", at, wrong, what, input)
}

/** A run left by `run`, and what it said to be saved. */
const left = async (scratch: string, name: string, options: Parameters<typeof runToyHere>[2]): Promise<Start> => {
  const template = join(emptyDirectory(scratch, name), "run")
  const told = nothingTold()
  await runToyHere(template, told, options)
  return startOf(scratch, told.acknowledged, template)
}

/** Processes of the real stages in which a change fails; none where the shim cannot be built. */
const nanoFaults = async (campaign: Campaign) => {
  const striking = buildShim(campaign.scratch, (line) => campaign.say(`faults: ${line}`))
  if (striking === undefined) return undefined
  const { nanoVictim } = await import("./kills/nanoVictim.ts")
  const chain = await preparedChain(campaign, await nanoVictim(campaign.scratch))
  const { ENOSPC, EIO, EDQUOT, EROFS, EACCES } = constants.errno
  return (at: number) => {
    const random = new Random(campaign.seed, at)
    const change = 1 + random.below(nanoChanges)
    const errno = random.of([ENOSPC, EIO, EDQUOT, EROFS, EACCES])
    const env = striking({ directory: chain.directory, at: change, mode: "error", errno })
    return chain.disturb("faults", at, { what: `change ${change} fails with ${errno}`, env, mayFail: true })
  }
}

export const faults = async (campaign: Campaign, count: number, from: number): Promise<void> => {
  if (count === 0) return
  const { scratch } = campaign
  const stopped = await left(scratch, "stopped", { failAt: { label: "toy-projector", step: 4 } })
  const finished = await left(scratch, "finished", {})
  const starts = [await startOf(scratch, new Map()), stopped, finished]
  const counts = starts.map(({ operations }) => operations)
  campaign.say(
    `faults: a run has ${counts[0]} operations, ${counts[1]} when it goes on, ${counts[2]} when it is finished`
  )
  const cases = [...casesFrom(from, count)]
  const isNano = (at: number) => at % nanoEvery === nanoEvery - 1
  const nano = cases.some(isNano) ? await nanoFaults(campaign) : undefined
  await campaign.each("faults", cases, count, (at) => {
    if (nano !== undefined && isNano(at)) return nano(at)
    return at % damageEvery === 0 ? damaged(campaign, at, [stopped, finished]) : fail(campaign, at, starts)
  })
}
