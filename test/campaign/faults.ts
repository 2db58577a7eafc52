/**
 * Operations that fail: the n-th of a run, once or from then on, with each error that a system has for it; a write that takes half of
 * its bytes. And files that are damaged between two runs. The run must end or say what is wrong in an error of its own; when it is
 * continued, everything that it said to be saved is there, and it ends with the same bytes.
 */
import { cpSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { isReading, type Operation, watch } from "../../packages/pipeline/test/toy/operations.ts"
import { type Campaign, casesFrom } from "./Campaign.ts"
import { Random } from "./Random.ts"
import { describeError, emptyDirectory, filesOf, nothingTold, runToyHere, wrongAfter } from "./runs.ts"

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

/** One case in so many damages a file that nobody has open. */
const damageEvery = 4

const isBelow = (directory: string) => (operation: Operation) => `${operation.path}/`.startsWith(`${directory}/`)

/** How many operations a run has in which nothing fails. */
const operationsOf = async (directory: string): Promise<number> => {
  let count = 0
  const below = isBelow(directory)
  watch({ after: (operation) => void (count += below(operation) ? 1 : 0) })
  await runToyHere(directory)
  watch({})
  return count
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

/** A run in which operation `at` fails, and one that continues it. */
const fail = async (campaign: Campaign, at: number, operations: number): Promise<void> => {
  const random = new Random(campaign.seed, at)
  const directory = join(emptyDirectory(campaign.scratch, "failing"), "run")
  const told = nothingTold()
  const what = failing(random, directory, 1 + ((at * 7919) % operations))
  const ending = await runToyHere(directory, told)
  watch({})
  if (!ending.typed) {
    const { error } = ending
    const name = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    campaign.failed("stacks", "faults", at, name, `${what()}\n${describeError(error)}`, filesOf(directory))
  }
  const wrong = await wrongAfter(campaign.scratch, directory, told.acknowledged)
  if (wrong !== undefined) campaign.failed("lost", "faults", at, wrong, what(), filesOf(directory))
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
const damaged = async (campaign: Campaign, at: number, templates: readonly string[]): Promise<void> => {
  const random = new Random(campaign.seed, at)
  const directory = join(emptyDirectory(campaign.scratch, "damaged"), "run")
  cpSync(random.of(templates), directory, { recursive: true })
  const what = damage(random, directory)
  const input = filesOf(directory)
  const wrong = await wrongAfter(campaign.scratch, directory, new Map())
  if (wrong !== undefined) campaign.failed("lost", "faults", at, wrong, what, input)
}

export const faults = async (campaign: Campaign, count: number, from: number): Promise<void> => {
  if (count === 0) return
  const { scratch } = campaign
  const finished = join(emptyDirectory(scratch, "finished"), "run")
  const operations = await operationsOf(finished)
  const stopped = join(emptyDirectory(scratch, "stopped"), "run")
  await runToyHere(stopped, nothingTold(), { failAt: { label: "toy-projector", step: 4 } })
  campaign.say(`faults: a run has ${operations} operations`)
  await campaign.each("faults", casesFrom(from, count), count, (at) =>
    at % damageEvery === 0 ? damaged(campaign, at, [stopped, finished]) : fail(campaign, at, operations)
  )
}
