/**
 * Runs a recipe of real stages as a process: `nanoRun.ts DIRECTORY RECIPE`, with `toy/faults.ts` loaded before it. Says on standard
 * output when a stage begins, and every step. `CRASH_IN=03-qat:17` kills the process in
 * the 17th change after that stage, or a later one, began; `FILL_IN=03-qat:4096` leaves that many bytes free on the disk then.
 */
import { readFileSync, statfsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type Entry, Events, isEntryOf, Recipe, RunDirectory, RunEvents, runMain, Sinks } from "@speedq/pipeline"
import { Compute, SampleWorkers, stages } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { crashIn } from "../../../pipeline/test/toy/faults.ts"

const [directory = "", recipe = ""] = process.argv.slice(2)
const [faultStage = "", number = ""] = (process.env.CRASH_IN ?? process.env.FILL_IN ?? "").split(":")

/** Takes all space of the run's file system but `left` bytes, as another program might. */
const fillDisk = (left: number) => {
  const filler = join(directory, "..", "filler")
  const { bavail, bsize } = statfsSync(directory)
  writeFileSync(filler, Buffer.alloc(bavail * bsize - left, 1))
}

// Places begin with their number, so they compare as they follow each other.
let armed = faultStage !== ""
const told = (entry: Entry) => {
  const { stage = "" } = entry
  if (isEntryOf(RunEvents.StepDone, entry)) process.stdout.write(`${stage} ${entry.event.step}\n`)
  if (!isEntryOf(RunEvents.StageStarted, entry)) return
  process.stdout.write(`${stage} begins\n`)
  if (!armed || stage < faultStage) return
  armed = false
  if (process.env.FILL_IN === undefined) crashIn(Number(number))
  else fillDisk(Number(number))
}

const program = Effect.gen(function* () {
  yield* (yield* Events).subscribe({ write: told, flush: Effect.void })
  yield* Recipe.run(yield* Recipe.decode(stages, JSON.parse(readFileSync(recipe, "utf8"))))
})

runMain(
  program.pipe(
    Effect.scoped,
    Effect.provide(Sinks.plainLines()),
    Effect.provide(
      Layer.mergeAll(
        RunDirectory.layer(directory).pipe(Layer.provideMerge(NodeServices.layer)),
        Compute.layer({ backend: "native" }),
        SampleWorkers.layer({ count: 1 })
      )
    )
  )
)
