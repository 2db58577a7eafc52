/** Small runs of toy stages in this process: what the campaign disturbs, and what must be there afterwards. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join, relative } from "node:path"
import { type Entry, isEntryOf, RunEvents } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { resultsOf } from "../../packages/pipeline/test/support/results.ts"
import { recipeOf, runHere } from "../../packages/pipeline/test/support/toyRun.ts"

const finished = Number.POSITIVE_INFINITY

/** Two stages with states and one that writes a file; small, so that every operation has its turn. */
export const toyStages = [
  { use: "toy-vit", steps: 5, floats: 40 },
  { use: "toy-projector", steps: 5, floats: 40 },
  { use: "toy-export" }
]
export const toyRecipe = recipeOf(toyStages, { save: { everySteps: 1 } })

/** How far each stage is, by place: the newest saved step, or infinity when it is finished. */
export type Standing = ReadonlyMap<string, number>

/** What a run said: how far what it saved is, and where its stages went on. */
export interface Told {
  readonly acknowledged: Map<string, number>
  readonly wentOnAt: Map<string, number>
}

/** Listens to a run. `acknowledge` is called when it says that something is saved. */
export const listen = (told: Told, acknowledge: () => void = () => {}) => {
  return (entry: Entry): void => {
    const { stage = "" } = entry
    const { acknowledged, wentOnAt } = told
    if (isEntryOf(RunEvents.StageStarted, entry)) wentOnAt.set(stage, entry.event.from)
    if (isEntryOf(RunEvents.StageReused, entry)) wentOnAt.set(stage, finished)
    if (isEntryOf(RunEvents.CheckpointSaved, entry)) acknowledged.set(stage, entry.event.step)
    else if (isEntryOf(RunEvents.StageFinished, entry)) acknowledged.set(stage, finished)
    else return
    acknowledge()
  }
}

export const nothingTold = (): Told => ({ acknowledged: new Map(), wentOnAt: new Map() })

/** How a run ended: undefined when it is finished, otherwise the error, and whether it has a type. */
export interface Ending {
  readonly error?: unknown
  readonly typed: boolean
}

/** Whether an error is one that a user can act upon: it has a tag and a message of plain words. */
export const isTyped = (error: unknown): error is Error & { readonly _tag: string } =>
  error instanceof Error && "_tag" in error && typeof error._tag === "string" && error.message !== ""

export const endingOf = (exit: Exit.Exit<unknown, unknown>): Ending => {
  if (Exit.isSuccess(exit)) return { typed: true }
  const error = Cause.squash(exit.cause)
  return { error, typed: !Cause.hasDies(exit.cause) && isTyped(error) }
}

export const describeError = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

/** Runs the toy recipe in `directory`, or goes on with it. */
export const runToyHere = async (
  directory: string,
  told: Told = nothingTold(),
  options: {
    readonly acknowledge?: () => void
    readonly failAt?: { readonly label: string; readonly step: number }
  } = {}
): Promise<Ending> => {
  const { acknowledge, ...faults } = options
  const run = runHere(directory, toyRecipe, { ...faults, told: listen(told, acknowledge) })
  const { exit } = await Effect.runPromise(run)
  return endingOf(exit)
}

let undisturbed: ReturnType<typeof resultsOf> | undefined

/** Files of a run that nothing disturbed, with their digests. */
export const undisturbedResults = async (scratch: string) => {
  if (undisturbed !== undefined) return undisturbed
  const directory = join(scratch, "undisturbed")
  const { error } = await runToyHere(directory)
  if (error !== undefined) throw new Error(`a run that nothing disturbs failed: ${describeError(error)}`)
  return (undisturbed = resultsOf(directory))
}

/** What is wrong with a run that goes on in `directory`, where `promised` was said to be saved; undefined when nothing is. */
export const wrongAfter = async (
  scratch: string,
  directory: string,
  promised: Standing
): Promise<string | undefined> => {
  const whole = await undisturbedResults(scratch)
  const told = nothingTold()
  const { error } = await runToyHere(directory, told)
  if (error !== undefined) return `the run does not go on: ${describeError(error)}`
  const behind = lost(promised, told.wentOnAt)
  if (behind !== undefined) return `${behind}; the run went on without it`
  const results = resultsOf(directory)
  const differing = Object.keys({ ...whole, ...results }).find((file) => whole[file] !== results[file])
  return differing === undefined
    ? undefined
    : `${differing} has other bytes at the end than in a run that nothing disturbed`
}

/** The first stage of which less is there than was promised. */
export const lost = (promised: Standing, there: Standing): string | undefined => {
  for (const [place, step] of promised) {
    const found = there.get(place) ?? 0
    if (found < step) return `${place}: ${nameOf(step)} was said to be saved, ${nameOf(found)} is there`
  }
  return undefined
}

const nameOf = (step: number) => (step === finished ? "its result" : `step ${step}`)

/** An empty directory of this name. */
export const emptyDirectory = (scratch: string, name: string): string => {
  const directory = join(scratch, name)
  rmSync(directory, { recursive: true, force: true })
  mkdirSync(directory)
  return directory
}

/** The files of a directory in order, by their names from it. */
export const filesOf = (directory: string): readonly (readonly [string, Uint8Array])[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => [relative(directory, file), readFileSync(file)])
