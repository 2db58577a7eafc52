/** Runs toy recipes in this process, and collects what they say. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as PlatformError from "effect/PlatformError"
import { RunDirectory } from "../../src/directory/RunDirectory.ts"
import { type Entry, Events } from "../../src/events/Events.ts"
import type { Output } from "../../src/events/sinks/Output.ts"
import * as Sinks from "../../src/events/sinks/Sinks.ts"
import * as Recipe from "../../src/run/Recipe.ts"
import { Sabotage, toyStages } from "../toy/stages.ts"
import type { ToyStage } from "./toyProcess.ts"

/** Collects what is printed. */
export const collect = (isTerminal = false, columns = 100): Output & { readonly text: () => string } => {
  const pieces: Array<string> = []
  return {
    write: (text) => void pieces.push(text),
    text: () => pieces.join(""),
    isTerminal,
    hasColors: false,
    columns: () => columns
  }
}

/** A recipe file's content with toy stages. */
export const recipeOf = (stages: ReadonlyArray<ToyStage>, settings: object = {}) => ({
  version: 1,
  name: "toy",
  model: "none",
  seed: 7,
  save: { everySteps: 2 },
  ...settings,
  stages
})

/** An error of the system for every operation of some kinds on files of a name. */
export interface Refusal {
  readonly operations: ReadonlyArray<"open" | "readFile" | "readFileString" | "remove">
  readonly file: RegExp
  readonly code: string
}

const refusing = ({ operations, file, code }: Refusal) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => {
      const refused = (method: string, path: string) =>
        Effect.fail(
          PlatformError.systemError({
            _tag: "Unknown",
            module: "FileSystem",
            method,
            pathOrDescriptor: path,
            cause: Object.assign(new Error(`${code}: refused`), { code })
          })
        )
      const wrapped: { [operation: string]: unknown } = {}
      for (const operation of operations) {
        const original = fs[operation] as (path: string, ...rest: ReadonlyArray<unknown>) => unknown
        wrapped[operation] = (path: string, ...rest: ReadonlyArray<unknown>) =>
          file.test(path) ? refused(operation, path) : original(path, ...rest)
      }
      return FileSystem.FileSystem.of({ ...fs, ...wrapped })
    })
  )

interface RunOptions {
  readonly fresh?: boolean
  readonly failAt?: { readonly label: string; readonly step: number }
  readonly refusal?: Refusal
  /** Told of every event. */
  readonly told?: (entry: Entry) => void
}

/** Runs a recipe in `directory` with everything it needs; gives what was printed, and how it ended. */
export const runHere = (directory: string, recipe: unknown, options: RunOptions = {}) =>
  Effect.gen(function* () {
    const output = collect()
    const layer = Sinks.plainLines(output).pipe(
      Layer.provideMerge(RunDirectory.layer(directory, options)),
      Layer.provideMerge(options.refusal === undefined ? Layer.empty : refusing(options.refusal)),
      Layer.provideMerge(NodeServices.layer)
    )
    const { told } = options
    const exit = yield* Effect.gen(function* () {
      if (told !== undefined) yield* (yield* Events).subscribe({ write: told, flush: Effect.void })
      return yield* Recipe.run(yield* Recipe.decode(toyStages, recipe))
    }).pipe(Effect.scoped, Effect.provide(layer), Effect.provideService(Sabotage, options.failAt), Effect.exit)
    return { exit, printed: output.text() }
  })
