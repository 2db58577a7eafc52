/**
 * Runs cases in a process of its own: `worker.ts SEED SHARE NEXT SCRATCH`, those of a share from a number on. Says a line of JSON for each
 * failure, and how far it is twice a second; a watchdog ends it when a case hangs or takes too much memory.
 */
import { copyFileSync, openSync, writeSync } from "node:fs"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { Kinds } from "../Campaign.ts"
import { describeError, isTyped } from "../runs.ts"
import { type Case, Cases } from "./cases.ts"
import { readInThisThread } from "./sameThread.ts"
import { numbersOf, type Share } from "./shares.ts"
import { startWatchdog } from "./watchdog.ts"

/** What the parent reads: a failure of a case, with where the changed file is kept, or that those of its share before `at` are done. */
export type Line =
  | {
      readonly at: number
      readonly failure: "stacks" | "hangs" | "overMemory" | "lost"
      readonly what: string
      readonly details?: string
      readonly input?: string
    }
  | {
      readonly at: number
      readonly failure?: undefined
      /** Of the processor, since the process began its cases. */
      readonly milliseconds: number
    }

const [seed = "1", given = "", next = "0", scratch = ""] = process.argv.slice(2)
const share: Share = JSON.parse(given)
const say = (line: Line) => writeSync(1, `${JSON.stringify(line)}\n`)

/** Where an error comes from: the first places in code of ours. */
const originOf = (error: unknown): string => {
  const places = describeError(error).matchAll(
    /at (?:async )?(.*?)(?: \()?(?:file:\/\/)?\S*\/((?:packages|node_modules)\/\S+?\.\w+):\d+:\d+/g
  )
  return [...places]
    .slice(0, 2)
    .map(([, name, file]) => `${name} (${file})`)
    .join(" < ")
}

/** What a reading comes to: a typed error and a result are both fine. */
const outcomeOf = async (
  { target, file }: Case,
  directory: string
): Promise<{ failure: "stacks" | "lost"; what: string; details: string } | undefined> => {
  const untyped = (error: unknown) => {
    if (isTyped(error)) return undefined
    const name = error instanceof Error ? `${error.constructor.name}: ${error.message.slice(0, 100)}` : String(error)
    return { failure: "stacks" as const, what: `${name} at ${originOf(error)}`, details: describeError(error) }
  }
  const complaint = (what: unknown) =>
    typeof what === "string" ? { failure: "lost" as const, what, details: "" } : undefined
  try {
    const reading = target.read(directory, file)
    if (!Effect.isEffect(reading)) return complaint(await reading)
    const exit = await Effect.runPromiseExit(reading as Effect.Effect<unknown, unknown>)
    if (Exit.isSuccess(exit)) return complaint(exit.value)
    const error = Cause.squash(exit.cause)
    return Cause.hasDies(exit.cause) && isTyped(error)
      ? { failure: "stacks", what: `dies with ${error._tag} at ${originOf(error)}`, details: describeError(error) }
      : untyped(error)
  } catch (error) {
    return untyped(error)
  }
}

/** Longer than every note. */
const noteLength = 1024
/** The case that runs and its file: what remains when the watchdog or Node itself ends the process. */
const current = openSync(join(scratch, "current"), "w")
const note = (running: Running) => writeSync(current, JSON.stringify(running).padEnd(noteLength), 0)
export interface Running {
  readonly at: number
  readonly what: string
  readonly file: string
}

const cases = await Cases.make(Number(seed), scratch)
readInThisThread()
const kinds = new Kinds()
const watchdog = startWatchdog()
const begun = process.cpuUsage()
const sayDone = (at: number) => {
  const { user, system } = process.cpuUsage(begun)
  say({ at, milliseconds: (user + system) / 1000 })
}
let said = performance.now()
for (const at of numbersOf(share, Number(next))) {
  const each = cases.at(at)
  const directory = cases.place(each)
  const path = join(directory, each.file)
  note({ at, what: each.what, file: path })
  watchdog(at)
  const outcome = await outcomeOf(each, directory)
  watchdog(undefined)
  if (outcome !== undefined) {
    const { failure, what, details } = outcome
    const said = `${each.what}: ${what}`
    const input = join(scratch, `failed-${at}`)
    if (kinds.isRare(said)) copyFileSync(path, input)
    say({ at, failure, what: said, details: `${each.file}\n${details}`, input })
  }
  if (performance.now() - said < 500) continue
  said = performance.now()
  sayDone(at + 1)
}
sayDone(share.from + share.count)
process.exit(0)
