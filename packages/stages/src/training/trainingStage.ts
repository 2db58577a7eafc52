/**
 * The frame of all stages that train: rules planned, model and data opened, a student made beside its teacher, and the program
 * of steps over them. What differs between the stages is their method.
 */
import { packedWeights, releasePacked } from "@speedq/exports"
import { layerOf, parameterOf } from "@speedq/formats"
import { memoryBudget, type RecipeSettings, type Stage, UnitOffer } from "@speedq/pipeline"
import { blocksUsed, type ModelConfig, modelTensors, towerOf, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { QuantizedLanguage, QuantizedVision } from "../artefacts/artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { continueWithData } from "../data/continueWithData.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { openStageData } from "../data/openStageData.ts"
import { pictureLimits } from "../data/pictureLimits.ts"
import { RulesInvalid } from "../Errors.ts"
import { versionsOf } from "../extensions/versions.ts"
import { featureVersions, openKeptFeatures, tellSeen } from "../features/keptFeatures.ts"
import { chosenLayers } from "../model/layerFact.ts"
import { type Choices, chosenMatrices, embeddingVersions, planEmbeddings, planTowers } from "../model/plannedLayers.ts"
import { requireQuantizable } from "../model/requireQuantizable.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import { openTeacher } from "../model/teacherModel.ts"
import { towerParameters } from "../model/towerParameters.ts"
import { decidedMatrices, disagreements } from "../planning/decidingStages.ts"
import { givenBefore, stagesBefore } from "../planning/givenBefore.ts"
import { planModel, planTeacher } from "../planning/plannedModel.ts"
import { ruleLines } from "../planning/ruleLines.ts"
import { trainingForecast } from "../planning/trainingForecast.ts"
import { computesUnit, shardUnit } from "./elsewhereStep.ts"
import { frozenTowers } from "./frozenTowers.ts"
import { packLearned, requireGridRate, requireTrainedGrids, withoutGrids } from "./learnedGrids.ts"
import {
  chooseLosses,
  confidenceOf,
  lossSection,
  measuredBatches,
  measuresConfidence,
  namedLosses,
  needsTeacher,
  rowLosses
} from "./losses.ts"
import { confidenceMeasurement, microBatchLosses, type StudentAndTeacher } from "./microBatchLoss.ts"
import { decideRematerialization } from "./Rematerialization.ts"
import { refuseSearches } from "./refuseSearches.ts"
import { computesShards } from "./shardWork.ts"
import { makeStudent } from "./student.ts"
import { dropPathOf, dropsLastStep } from "./TrainingConfig.ts"
import type { Quantized, TrainingInput, TrainingMethod, TrainingOptions } from "./TrainingMethod.ts"
import { makeTeacherWeights, requireTeacherFile } from "./teacherWeights.ts"
import { trainingProgram } from "./trainingProgram.ts"

/** Fails with RulesInvalid where more blocks are to be trained than the tower runs. */
const requireBlocks = (config: ModelConfig, { train }: TrainingOptions) => {
  const wanted = train?.visionLayers ?? 0
  const blocks = blocksUsed(config)
  const reason = `train.visionLayers is ${wanted}, but the vision tower has ${blocks} blocks; name ${blocks} at most`
  return wanted > blocks ? Effect.fail(new RulesInvalid({ reason })) : Effect.void
}

/**
 * Fails with RulesInvalid where the head is to be trained and is the embedding, which is quantized once: nothing would come of it.
 * An embedding in full precision is trained with the rest, as its own head.
 */
const requireHead = ({ llm_config }: ModelConfig, { train, embeddings }: TrainingOptions) => {
  if (!(train?.head && llm_config.tie_word_embeddings && embeddings !== null)) return Effect.void
  const reason =
    "train.head is true, but the model's output head is its embedding (tie_word_embeddings), which is quantized once and stays: nothing would be trained. Leave train.head out; or set embeddings to null in every stage, which trains the embedding in full precision"
  return Effect.fail(new RulesInvalid({ reason }))
}

/** Fails with RulesInvalid where training is to start from a quantized language model and no stage before makes one. */
const requireStart = ({ start }: TrainingOptions, isQuantized: boolean) => {
  if (start !== "quantized" || isQuantized) return Effect.void
  const reason =
    'start is "quantized", but no stage before quantizes the language model: put one before this stage, such as gptq or blockwise, or leave start out'
  return Effect.fail(new RulesInvalid({ reason }))
}

/** Linears whose grids are to be learned: those that the stage quantizes, and those of a quantized tower, where they are trained. */
const learningMatrices = Effect.fnUntraced(function* (
  config: ModelConfig,
  { linears }: Quantized,
  isTrained: (name: string) => boolean,
  place: Stage.PlaceInRecipe
) {
  const before = { ...place, stages: stagesBefore(place) }
  const tower = (yield* decidedMatrices(config, before)).filter(({ layer }) => towerOf(layer) === "vision")
  const matrices = new Map([...tower, ...chosenMatrices(linears)].map((matrix) => [matrix.layer, matrix]))
  return [...matrices.values()].filter(({ layer }) => isTrained(parameterOf(layer)))
})

/** What `Stage.define` wants of a stage besides its name, its options and the names of its artefacts. */
export const trainingStage = <Options extends TrainingOptions, Out>(method: TrainingMethod<Options, Out>) => {
  const { fakeQuantizes, trains, artefacts } = method

  const plan = Effect.fnUntraced(function* (config: ModelConfig, options: Options, allocation?: Choices) {
    const { quantizers = [], embeddings, compat } = options
    const towers = fakeQuantizes(options)
    yield* requireBlocks(config, options)
    yield* requireHead(config, options)
    yield* requireGridRate(options)
    const quantized: Quantized = {
      linears: yield* planTowers(config, towers, quantizers, compat, allocation),
      embeddings: yield* planEmbeddings(config, embeddings, compat, method.seesEmbeddings)
    }
    yield* refuseSearches(quantized.linears.choices)
    const losses = yield* chooseLosses(method.losses(options))
    const isTrained = (name: string) => trains(name, quantized, options, config)
    const learnsGrids = options.grids === "learned"
    const learns = [...modelTensors(config).keys()].some((name) => towerOf(name) === "vision" && isTrained(name))
    return {
      quantized,
      losses,
      isTrained,
      learnsGrids,
      fakeQuantized: towers.length > 0,
      trainsTower: towers.includes("vision") || learns
    }
  })

  const forecast = Effect.fnUntraced(function* (options: Options, recipe: RecipeSettings, place: Stage.PlaceInRecipe) {
    const model = yield* planModel(recipe)
    yield* requireStart(options, givenBefore(place, QuantizedLanguage))
    yield* requireTeacherFile(options, recipe)
    const { quantized, losses, isTrained, learnsGrids, fakeQuantized } = yield* plan(model.config, options)
    const learned = learnsGrids ? yield* learningMatrices(model.config, quantized, isTrained, place) : []
    const grids = yield* requireTrainedGrids(new Map(learned.map(({ layer, choice }) => [layer, choice])))
    const forecast = yield* trainingForecast({
      recipe,
      model,
      data: options.data,
      optimization: options,
      trains: isTrained,
      fakeQuantized,
      teacher: needsTeacher(losses),
      teacherWeights: options.teacherWeights ?? "memory",
      otherTeacher: needsTeacher(losses) ? yield* planTeacher(recipe) : undefined,
      // What the confidence is does not change how long the losses take.
      losses: rowLosses(losses, 0.5),
      measured: measuresConfidence(losses) ? measuredBatches(losses, Number.POSITIVE_INFINITY) : 0,
      quantized: chosenMatrices(quantized.linears),
      learned: learned.filter(({ layer }) => grids.has(layer)),
      frozen: chosenMatrices(quantized.embeddings),
      // Where the tower is quantized before, the student sees pictures otherwise than the teacher.
      sharedTower: !givenBefore(place, QuantizedVision) && dropPathOf(options) === 0 && recipe.teacher === undefined,
      place,
      lines: [...ruleLines(quantized.linears, place), ...ruleLines(quantized.embeddings)]
    })
    const obstacles = [...forecast.obstacles, ...(yield* disagreements(model.config, place))]
    return { ...forecast, obstacles }
  })

  const begin = Effect.fnUntraced(function* (
    options: Options,
    input: TrainingInput,
    { recipe, seed, directory }: Stage.StageContext
  ) {
    yield* requireStart(options, input.quantizedLanguage !== undefined)
    yield* requireTeacherFile(options, recipe)
    const { backend } = yield* Compute
    const stageScope = yield* Effect.scope
    const model = yield* openRecipeModel(recipe)
    const { config } = model.directory
    const planned = yield* plan(config, options, input.allocation)
    const { quantized, losses, isTrained, learnsGrids, fakeQuantized, trainsTower } = planned
    const { data } = options
    const source = yield* openStageData({ recipe, seed, directory, data, optimization: options })
    const student = yield* makeStudent({ model, input, quantized, trains: isTrained, learnsGrids })
    // Matrices are rounded in f32: what that took beside them goes back before training takes its own.
    backend.trim()
    const stored = yield* planEmbeddings(config, options.embeddings, options.compat, "result")
    const choices = new Map([...student.choices, ...stored.choices])
    const given = { ...model.weights, ...input.quantizedVision?.values, ...input.projector }
    yield* requireQuantizable(given, choices, input.clipping)

    const taughtBy = needsTeacher(losses) ? yield* openTeacher(recipe, model) : model
    const { weights, leaveMemory } = yield* makeTeacherWeights({
      ...{ backend, place: options.teacherWeights, model, teacher: taughtBy },
      isCopied: (name) => isTrained(name) || quantized.embeddings.choices.has(layerOf(name))
    })
    const teacher = { directory: taughtBy.directory, weights }
    const rate = dropPathOf(options)
    const kept = yield* openKeptFeatures(recipe)
    const { quantizedVision } = input
    const tower = () =>
      quantizedVision
        ? packedWeights(quantizedVision.packed, quantizedVision.values, model.weights)
        : weightsFrom(model.weights)
    const { teacherFeatures, studentFeatures } = yield* frozenTowers({
      ...{ backend, kept, budget: Number(options.featureCache), dropPath: { rate, seed } },
      teacher: { config: teacher.directory.config, weights: teacher.weights },
      isTaught: needsTeacher(losses),
      student: trainsTower ? undefined : { config, weights: tower() },
      isTeachers: quantizedVision === undefined && taughtBy === model
    })
    const pair: StudentAndTeacher = {
      backend,
      directory: model.directory,
      losses,
      teacher,
      weightsOf: student.weightsOf,
      teacherFeatures,
      studentFeatures,
      dropPath: { rate, seed }
    }
    const budget = yield* memoryBudget(recipe)
    const gradients = {
      source,
      optimization: options,
      begins: leaveMemory,
      roomIsKnown: budget.bytes !== undefined,
      rematerialization: decideRematerialization({
        backend,
        config,
        optimization: options,
        fakeQuantized,
        trainsTower,
        budget,
        features: [teacherFeatures, studentFeatures]
      }),
      prepare: microBatchLosses(pair)
    }
    const offer = yield* UnitOffer
    if (offer !== undefined) offer(shardUnit, computesUnit(yield* computesShards(gradients)))
    return yield* trainingProgram({
      ...gradients,
      data,
      directory,
      initial: student.initial,
      measurement: confidenceMeasurement(pair, source),
      finish: Effect.fnUntraced(function* (trained, measured) {
        yield* tellSeen(kept)
        // The last update was looked at by no step.
        yield* requireQuantizable(trained, student.choices)
        const { grids } = student
        const packed = yield* Effect.provideService(
          owned(
            computing(() => packLearned(grids, choices, trained)),
            releasePacked
          ),
          Scope.Scope,
          stageScope
        )
        const parameters = withoutGrids(trained)
        const result = {
          trained: Object.fromEntries(Object.entries(parameters).filter(([name]) => !grids.has(layerOf(name)))),
          packed,
          projector: { ...input.projector, ...towerParameters("projector", parameters) },
          quantized,
          choices: new Map([...choices].filter(([layer]) => !grids.has(layer)))
        }
        const output = yield* Effect.provideService(artefacts(result), Scope.Scope, stageScope)
        const said = options.loss === undefined ? [] : [lossSection(losses, confidenceOf(losses, measured))]
        return { output, report: [...said, ...chosenLayers(choices)] }
      })
    })
  })

  const versions = Effect.fnUntraced(function* (options: Options, recipe: RecipeSettings) {
    const named = yield* versionsOf({
      quantizers: [...(options.quantizers ?? []), options.embeddings],
      losses: namedLosses(method.losses(options))
    })
    // A tower that is quantized and trained at once had no stochastic depth in earlier versions.
    const deep = fakeQuantizes(options).includes("vision") && dropPathOf(options) > 0
    // `compat` left the last step as it was in earlier versions.
    const dropped = options.lastStep === undefined && dropsLastStep(options)
    return {
      ...named,
      ...(deep ? { "stochastic depth of a trained tower": 1 } : {}),
      ...(dropped ? { "an incomplete last step under compat": 1 } : {}),
      ...(options.grids === "learned" ? { "learned grids": 1 } : {}),
      ...featureVersions(recipe),
      ...embeddingVersions(options)
    }
  })

  return {
    versions,
    fingerprint: ({ data, loss, compat }: Options, recipe: RecipeSettings) =>
      fingerprintOf(recipe, { data, limits: pictureLimits(data.images, compat), teacher: loss !== undefined }),
    continuation: ({ data, compat }: Options, recipe: RecipeSettings, begun: Stage.Begun) =>
      continueWithData(data, compat, recipe, begun),
    forecast,
    begin
  }
}
