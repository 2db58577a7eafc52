/**
 * A run that is interrupted in the middle of its training and continued: it goes on after the step that was saved, and what comes
 * out has the bytes of a run that nothing disturbed.
 *
 *   node --import tsx -C @speedq/source examples/interruptAndContinue.ts [MODEL] [RUNS]
 */

import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { tensorsName } from "@speedq/exports"
import { Events, isEntryOf, Recipe, RunDirectory, RunEvents, runMain, Sinks, status } from "@speedq/pipeline"
import { Compute, Export, Qat, SampleWorkers } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { shippedFile } from "speedq"

const [model = shippedFile("data/nano/model"), directory = "runs/interrupt-and-continue"] = process.argv.slice(2)

const recipe = Recipe.make({ name: "interrupted", model, seed: 7, save: { everySteps: 2 } }).pipe(
  Recipe.andThen(
    Qat.stage({
      data: { meta: shippedFile("data/nano/datasets.json"), percent: 1 },
      quantizers: [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }],
      loss: { confidenceBatches: 2 },
      batch: 2,
      accumulation: 2,
      maxSteps: 6
    })
  ),
  Recipe.andThen(Export.stage({ format: "packed" }))
)

/** A run in a directory of its own; `fresh` removes what is there. */
const inDirectory = (name: string, fresh: boolean) =>
  Sinks.terminal().pipe(Layer.provideMerge(RunDirectory.layer(join(directory, name), { fresh })))

// On the command line this is Ctrl-C. In code a run is a fiber like any other.
const untilStep = (step: number) =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(Recipe.run(recipe))
    yield* (yield* Events).subscribe({
      write: (entry) => {
        if (isEntryOf(RunEvents.StepDone, entry) && entry.event.step === step) running.interruptUnsafe()
      },
      flush: Effect.void
    })
    yield* Fiber.await(running)
  }).pipe(Effect.scoped)

const digestOf = (name: string) =>
  createHash("sha256")
    .update(readFileSync(join(directory, name, "model/packed", tensorsName)))
    .digest("hex")

const program = Effect.gen(function* () {
  yield* Recipe.run(recipe).pipe(Effect.provide(inDirectory("undisturbed", true)))

  yield* untilStep(5).pipe(Effect.provide(inDirectory("interrupted", true)))
  const stopped = Option.getOrThrow(yield* status(join(directory, "interrupted")))
  console.log(`${stopped.state} after step ${stopped.stages[0]?.savedStep} of ${stopped.stages[0]?.steps}`)

  yield* Recipe.run(recipe).pipe(Effect.provide(inDirectory("interrupted", false)))
  const same = digestOf("interrupted") === digestOf("undisturbed")
  console.log(same ? "continued to the same bytes" : "continued to other bytes: please report this")
})
const live = Layer.mergeAll(Compute.auto, SampleWorkers.layer())
runMain(program.pipe(Effect.provide(live), Effect.provide(NodeServices.layer)))
