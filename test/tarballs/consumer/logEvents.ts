/** Progress events of a run in a program's own log, one JSON document a line. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Events, Recipe, RunDirectory, runMain } from "@speedq/pipeline"
import { AdaRoundVit, Compute, SampleWorkers } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { shippedFile } from "speedq"

const recipe = Recipe.make({ name: "logged", model: shippedFile("data/nano/model"), seed: 7 }).pipe(
  Recipe.andThen(
    AdaRoundVit.stage({
      images: shippedFile("data/nano/calibration-images.txt"),
      count: 2,
      iterations: 0,
      quantizers: [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }]
    })
  )
)

const logger = Layer.effectDiscard(
  Effect.flatMap(Events, (events) =>
    events.subscribe({
      write: ({ at, stage, tag, json }) => console.log(JSON.stringify({ at, stage, event: tag, ...json() })),
      flush: Effect.void
    })
  )
)
const live = Layer.mergeAll(
  logger.pipe(Layer.provideMerge(RunDirectory.layer("runs/logged"))),
  Compute.auto,
  SampleWorkers.layer()
)
runMain(Recipe.run(recipe).pipe(Effect.provide(live), Effect.provide(NodeServices.layer)))
