import * as NodeServices from "@effect/platform-node/NodeServices"
import { bytesOf, typedView } from "@speedq/formats"
import { Artefact, Codec, Recipe, RunDirectory, runMain, Sinks, Stage } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

// A value and how it is saved: small parts as JSON, large ones as tensors.
const weights = Codec.make({
  data: Schema.Struct({ sum: Schema.Number }),
  save: ({ sum, values }: { readonly sum: number; readonly values: Float32Array }) => ({
    data: { sum },
    tensors: [{ name: "values", dtype: "F32", shape: [values.length], data: Effect.succeed(bytesOf(values)) }]
  }),
  load: ({ sum }, file) => Effect.map(file.read("values"), (bytes) => ({ sum, values: typedView("F32", bytes) }))
})
const Halved = Artefact.make("halved", "weights that were halved again and again", weights)

// A kind of stage: its options, and its work as steps over a state that can be saved after each of them.
const Halve = Stage.define({
  name: "halve",
  version: 1,
  config: Schema.Struct({ times: Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(10))) }),
  gives: [Halved],
  begin: ({ times }) =>
    Effect.succeed(
      Stage.program({
        steps: times,
        state: weights,
        initial: Effect.sync(() => ({ sum: 3, values: Float32Array.of(1, 2) })),
        step: ({ values }) =>
          Effect.sync(() => {
            const next = values.map((value) => value / 2)
            const sum = next.reduce((a, b) => a + b)
            return { state: { sum, values: next }, metrics: { loss: sum } }
          }),
        finish: (state) => Effect.succeed({ output: { halved: state } })
      })
    )
})

// A recipe, run in a directory. Interrupt it, kill it, run it again: it continues, and ends with the same bytes.
const recipe = Recipe.make({ name: "mine", model: "models/none" }).pipe(Recipe.andThen(Halve.stage({ times: 20 })))
const live = Sinks.terminal().pipe(
  Layer.provideMerge(RunDirectory.layer(process.argv[2] ?? "runs/mine")),
  Layer.provideMerge(NodeServices.layer)
)
runMain(Recipe.run(recipe).pipe(Effect.provide(live)))
