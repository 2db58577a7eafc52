/**
 * The frame of all stages that train: rules planned, model and data opened, a student made beside its teacher, and the program
 * of steps over them. What differs between the stages is their method.
 */
import { packedWeights } from "@speedq/exports"
import { memoryBudget, type RecipeSettings, type Stage } from "@speedq/pipeline"
import { type ModelConfig, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { Compute } from "../compute/Compute.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { openSampleSource } from "../data/SampleSource.ts"
import { versionsOf } from "../extensions/versions.ts"
import { planEmbeddings, planTowers } from "../model/plannedLayers.ts"
import { requireQuantizable } from "../model/requireQuantizable.ts"
import { openSourceModel } from "../model/SourceModel.ts"
import { disagreements } from "../planning/decidingStages.ts"
import { planModel } from "../planning/plannedModel.ts"
import { ruleLines } from "../planning/ruleLines.ts"
import { trainingForecast } from "../planning/trainingForecast.ts"
import { chooseLosses, confidenceOf, lossSection, namedLosses, needsTeacher } from "./losses.ts"
import { confidenceMeasurement, microBatchLosses, type StudentAndTeacher } from "./microBatchLoss.ts"
import { decideRematerialization } from "./Rematerialization.ts"
import { refuseSearches } from "./refuseSearches.ts"
import { makeStudent } from "./student.ts"
import { dropPathOf } from "./TrainingConfig.ts"
import type { Quantized, TrainingInput, TrainingMethod, TrainingOptions } from "./TrainingMethod.ts"
import { trainingProgram } from "./trainingProgram.ts"
import { makeVisionFeatures } from "./VisionFeatures.ts"

/** What `Stage.define` wants of a stage besides its name, its options and the names of its artefacts. */
export const trainingStage = <Options extends TrainingOptions, Out>(method: TrainingMethod<Options, Out>) => {
  const { fakeQuantizes, trains, artefacts } = method
  const fakeQuantized = fakeQuantizes.length > 0
  const trainsTower = fakeQuantizes.includes("vision")

  const plan = Effect.fnUntraced(function* (config: ModelConfig, options: Options) {
    const { quantizers = [], embeddings, compat } = options
    const quantized: Quantized = {
      linears: yield* planTowers(config, fakeQuantizes, quantizers, compat),
      embeddings: yield* planEmbeddings(config, embeddings, compat)
    }
    yield* refuseSearches(quantized.linears.choices)
    const losses = yield* chooseLosses(method.losses(options))
    return { quantized, losses, isTrained: (name: string) => trains(name, quantized) }
  })

  const forecast = Effect.fnUntraced(function* (options: Options, recipe: RecipeSettings, place: Stage.PlaceInRecipe) {
    const model = yield* planModel(recipe)
    const { quantized, losses, isTrained } = yield* plan(model.config, options)
    const forecast = yield* trainingForecast({
      recipe,
      model,
      data: options.data,
      optimization: options,
      trains: isTrained,
      fakeQuantized,
      teacher: needsTeacher(losses),
      lines: [...ruleLines(quantized.linears), ...ruleLines(quantized.embeddings)]
    })
    const obstacles = [...forecast.obstacles, ...(yield* disagreements(model.config, place))]
    return { ...forecast, obstacles }
  })

  const begin = Effect.fnUntraced(function* (
    options: Options,
    input: TrainingInput,
    { recipe, seed }: Stage.StageContext
  ) {
    const { backend } = yield* Compute
    const stageScope = yield* Effect.scope
    const model = yield* openSourceModel(recipe.model)
    const { config } = model.directory
    const { quantized, losses, isTrained } = yield* plan(config, options)
    const { data } = options
    const seeds = { selection: recipe.seed, order: seed }
    const source = yield* openSampleSource({ model: recipe.model, data, optimization: options, seed: seeds })
    const choices = new Map([...quantized.linears.choices, ...quantized.embeddings.choices])
    yield* requireQuantizable({ ...model.weights, ...input.projector }, choices, input.clipping)
    const student = yield* makeStudent({ model, input, quantized, trains: isTrained })

    const teacher = weightsFrom(model.weights)
    const original = { backend, config, weights: teacher, budget: Number(options.featureCache) }
    const teacherFeatures = makeVisionFeatures(original)
    const frozenFeatures = () => {
      const rate = dropPathOf(options)
      if (input.quantizedVision === undefined && rate === 0) return teacherFeatures
      const tower = input.quantizedVision ? packedWeights(input.quantizedVision, model.weights) : teacher
      return makeVisionFeatures({ ...original, weights: tower, dropPath: { rate, seed } })
    }
    const studentFeatures = trainsTower ? undefined : frozenFeatures()
    const pair: StudentAndTeacher = {
      backend,
      directory: model.directory,
      losses,
      teacher,
      weightsOf: student.weightsOf,
      teacherFeatures,
      studentFeatures
    }
    return yield* trainingProgram({
      meta: data.meta,
      source,
      optimization: options,
      initial: student.initial,
      measurement: confidenceMeasurement(pair, source),
      rematerialization: decideRematerialization({
        backend,
        config,
        optimization: options,
        fakeQuantized,
        trainsTower,
        budget: yield* memoryBudget(recipe),
        features: [teacherFeatures, studentFeatures]
      }),
      prepare: microBatchLosses(pair),
      finish: Effect.fnUntraced(function* (trained, measured) {
        // The last update was looked at by no step.
        yield* requireQuantizable(trained, quantized.linears.choices)
        const output = yield* Effect.provideService(artefacts(trained, quantized), Scope.Scope, stageScope)
        const said = options.loss === undefined ? [] : [lossSection(losses, confidenceOf(losses, measured))]
        return { output, report: said }
      })
    })
  })

  const versions = (options: Options) =>
    versionsOf({
      quantizers: [...(options.quantizers ?? []), options.embeddings],
      losses: namedLosses(method.losses(options))
    })

  return {
    versions,
    fingerprint: ({ data }: Options, recipe: RecipeSettings) => fingerprintOf(recipe, { metas: [data.meta] }),
    forecast,
    begin
  }
}
