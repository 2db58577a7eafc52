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
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
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

const isStep = (step: number) => (entry: Run.Entry) => isEntryOf(RunEvents.StepDone, entry) && entry.event.step === step

const digestOf = (run: string) =>
  createHash("sha256")
    .update(readFileSync(join(run, "model/packed", tensorsName)))
    .digest("hex")

const program = Effect.gen(function* () {
  yield* Run.start(recipe, { directory: undisturbed, fresh: true })

  // On the command line this is Ctrl-C. In code a run is a fiber, or a stream, like any other: whoever leaves it interrupts it.
  const events = Run.events(recipe, { directory: interrupted, fresh: true })
  yield* events.pipe(Stream.takeUntil(isStep(5)), Stream.runDrain)
  const stopped = Option.getOrThrow(yield* Run.status(interrupted))
  console.log(`${stopped.state} after step ${stopped.stages[0]?.savedStep} of ${stopped.stages[0]?.steps}`)

  yield* Run.start(recipe, { directory: interrupted })
  const same = digestOf(interrupted) === digestOf(undisturbed)
  console.log(same ? "continued to the same bytes" : "continued to other bytes: please report this")
})
Run.main(program)
