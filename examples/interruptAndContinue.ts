/**
 * A run that is interrupted in the middle of its training and continued: it goes on after the step that was saved, and what comes
 * out has the bytes of a run that nothing disturbed.
 *
 *   node --import tsx -C @speedq/source examples/interruptAndContinue.ts [MODEL] [RUNS]
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { tensorsName } from "@speedq/exports"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { bilevel, Export, isEntryOf, Qat, Recipe, Run, RunEvents, rule, shippedFile } from "speedq"

const [model = shippedFile("data/nano/model"), directory = "runs/interrupt-and-continue"] = process.argv.slice(2)
const [undisturbed, interrupted] = [join(directory, "undisturbed"), join(directory, "interrupted")]

const recipe = Recipe.make({ name: "interrupted", model, seed: 7, save: { everySteps: 2 } }).pipe(
  Recipe.andThen(
    Qat.stage({
      data: { meta: shippedFile("data/nano/datasets.json"), percent: 1 },
      quantizers: [rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))],
      loss: { confidenceBatches: 2 },
      batch: 2,
      accumulation: 2,
      maxSteps: 6
    })
  ),
  Recipe.andThen(Export.stage({ format: "packed" }))
)

// On the command line this is Ctrl-C. In code a run is a fiber like any other.
const untilStep = (step: number) =>
  Effect.gen(function* () {
    const stop = (entry: Run.Entry) => {
      if (isEntryOf(RunEvents.StepDone, entry) && entry.event.step === step) running.interruptUnsafe()
    }
    const running = yield* Effect.forkChild(Run.start(recipe, { directory: interrupted, fresh: true, onEvent: stop }))
    yield* Fiber.await(running)
  })

const digestOf = (run: string) =>
  createHash("sha256")
    .update(readFileSync(join(run, "model/packed", tensorsName)))
    .digest("hex")

const program = Effect.gen(function* () {
  yield* Run.start(recipe, { directory: undisturbed, fresh: true })

  yield* untilStep(5)
  const stopped = Option.getOrThrow(yield* Run.status(interrupted))
  console.log(`${stopped.state} after step ${stopped.stages[0]?.savedStep} of ${stopped.stages[0]?.steps}`)

  yield* Run.start(recipe, { directory: interrupted })
  const same = digestOf(interrupted) === digestOf(undisturbed)
  console.log(same ? "continued to the same bytes" : "continued to other bytes: please report this")
})
Run.main(program)
