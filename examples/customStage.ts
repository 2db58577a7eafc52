/**
 * A recipe with a stage of its own: the trained projector is rounded to 16 bits, as a released checkpoint holds it, and the
 * report says how far each tensor moved.
 *
 *   node --import tsx -C @speedq/source examples/customStage.ts [MODEL] [RUN]
 *
 * A recipe in JSON names the stage when it is run with the plugin: speedq run recipe.json --plugin examples/customStage.ts
 */
import { fileURLToPath } from "node:url"
import { releaseParameters } from "@speedq/exports"
import { cast, type Parameters, scope, type Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  AdaRoundVit,
  bilevel,
  computing,
  definePlugin,
  Export,
  option,
  owningState,
  Qat,
  Recipe,
  Run,
  rule,
  Stage,
  shippedFile,
  TrainedProjector
} from "speedq"

/** Largest distance between two f32 tensors of one shape. */
const distance = async (a: Tensor, b: Tensor): Promise<number> => {
  const left = (await a.read()) as Float32Array
  const right = (await b.read()) as Float32Array
  return left.reduce((most, value, index) => Math.max(most, Math.abs(value - right[index]!)), 0)
}

// One step a tensor. The state is what an interrupted run continues from: here an artefact's codec already saves it.
const RoundProjector = Stage.define({
  name: "round-projector",
  version: 1,
  config: Schema.Struct({
    dtype: option(Schema.Literals(["bf16", "f16"]), "bf16", { description: "Format of the rounded numbers." })
  }),
  needs: [TrainedProjector],
  gives: [TrainedProjector],
  begin: ({ dtype }, { projector }) => {
    const names = Object.keys(projector).sort()
    const step = (rounded: Parameters, done: number) =>
      computing(async () => {
        const name = names[done]!
        const before = projector[name]!
        const after = scope(() => cast(cast(before, dtype), "f32"))
        return { state: { ...rounded, [name]: after }, metrics: { change: await distance(before, after) } }
      })
    const program = Stage.program({
      steps: names.length,
      state: TrainedProjector.codec,
      initial: Effect.succeed<Parameters>({}),
      step,
      // A step adds to a new record: one that fails leaves the state as it was, and the run saves that.
      isIntact: () => true,
      finish: (rounded) =>
        Effect.succeed({
          output: { projector: rounded },
          report: [{ _tag: "Text", title: "", paragraphs: [`${names.length} tensors were rounded to ${dtype}.`] }]
        })
    })
    // The backend's memory is given back when the stage ends, however it ends.
    return owningState(program, releaseParameters)
  }
})

export const plugin = definePlugin({ name: "customStage.ts", stages: [RoundProjector] })

const main = (model = shippedFile("data/nano/model"), directory = "runs/custom-stage") => {
  const quantizers = [rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))]
  const images = shippedFile("data/nano/calibration-images.txt")
  const data = { meta: shippedFile("data/nano/datasets.json"), percent: 1 }
  // Move the new stage before Qat, which gives the projector, and this does not compile.
  const recipe = Recipe.make({ name: "custom stage", model, seed: 7 }).pipe(
    Recipe.andThen(AdaRoundVit.stage({ images, count: 8, batch: 4, iterations: 10, quantizers })),
    Recipe.andThen(Qat.stage({ data, quantizers, batch: 2, accumulation: 2, maxSteps: 3 })),
    Recipe.andThen(RoundProjector.stage({ dtype: "bf16" })),
    Recipe.andThen(Export.stage({ format: "fake-quant" }))
  )
  Run.main(
    Effect.gen(function* () {
      const { exported } = yield* Run.start(recipe, { directory })
      console.log(`${exported.directory}: ${exported.bytes} bytes`)
    })
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(...process.argv.slice(2))
