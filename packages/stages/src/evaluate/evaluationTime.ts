/** How long an evaluation takes: making the model, and for each row its pictures, its prompt, and an answer token by token. */
import type { RecipeSettings, Stage } from "@speedq/pipeline"
import { blocksUsed, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { QuantizedLanguage, QuantizedVision } from "../artefacts/artefacts.ts"
import { decoderPiece, headPiece, visionPiece } from "../measuring/networkPieces.ts"
import { measureSpeeds } from "../measuring/speeds.ts"
import type { ChosenMatrix } from "../measuring/weightPieces.ts"
import { languageFlops, languageLayerFlops, projectorFlops, visionBlockFlops } from "../planning/cost.ts"
import { decidedMatrices } from "../planning/decidingStages.ts"
import { deploymentPieces } from "../planning/deployment.ts"
import { givenBefore, stagesBefore } from "../planning/givenBefore.ts"
import type { PlannedModel } from "../planning/plannedModel.ts"
import { stageTime } from "../planning/stageTime.ts"
import type { BenchmarkChoice } from "./askedRows.ts"
import { type RowsExtent, rowsExtent } from "./rowExtents.ts"

interface EvaluationWork {
  readonly model: PlannedModel
  readonly benchmarks: readonly BenchmarkChoice[]
  /** Rows that are answered together, and rows of each benchmark that the divergence is measured on. */
  readonly batch: number
  readonly divergence: number
  /** Matrices that are rounded to nearest where no stage before quantized them. */
  readonly nearest: readonly ChosenMatrix[]
  readonly recipe: RecipeSettings
  readonly place: Stage.PlaceInRecipe
}

/** Matrices that are quantized when the stage begins: those of earlier stages, then those that it rounds itself. */
const quantizedMatrices = Effect.fnUntraced(function* ({ model, nearest, place }: EvaluationWork) {
  const gives = { vision: givenBefore(place, QuantizedVision), language: givenBefore(place, QuantizedLanguage) }
  const isGiven = (layer: string) => (towerOf(layer) === "vision" ? gives.vision : gives.language)
  const decided = yield* decidedMatrices(model.config, { ...place, stages: stagesBefore(place) })
  const given = decided.filter(({ layer }) => isGiven(layer))
  const layers = new Set(given.map(({ layer }) => layer))
  return [...given, ...nearest.filter(({ layer }) => !layers.has(layer))]
})

const mean = (of: readonly number[]): number => of.reduce((sum, each) => sum + each, 0) / Math.max(1, of.length)

/** Mean of all rows, whose benchmarks have different numbers of them. */
const overRows = (extents: readonly RowsExtent[], each: (row: RowsExtent["like"][number]) => number): number =>
  extents.reduce((sum, { count, like }) => sum + count * mean(like.map(each)), 0)

/** The time of the stage; unknown where a benchmark cannot be looked at. */
export const evaluationTime = Effect.fnUntraced(function* (evaluation: EvaluationWork) {
  const { model, benchmarks, batch, divergence, recipe, place } = evaluation
  const { config } = model
  const looked = yield* Effect.option(Effect.forEach(benchmarks, (choice) => rowsExtent(recipe.model, choice)))
  const extents = Option.getOrElse(looked, () => [])
  const count = extents.reduce((sum, extent) => sum + extent.count, 0)
  const files = { checkpointBytes: 0, outputBytes: 0, recipe, place, model, steps: Math.ceil(count / batch) }
  if (count === 0) return yield* stageTime(Option.none(), files)

  const matrices = yield* quantizedMatrices(evaluation)
  const isPacked = (layer: string) => towerOf(layer) === "vision" && givenBefore(place, QuantizedVision)
  const { pieces, secondsBy } = deploymentPieces({ matrices, unpacks: true, isPacked })
  // What is quantized is unpacked to f32 before the first row.
  const stored = matrices.length > 0 ? "f32" : model.stored
  const tokens = Math.max(1, Math.round(overRows(extents, ({ prompt }) => prompt) / count))
  const measured = yield* measureSpeeds<string>({
    ...pieces,
    vision: visionPiece(config, { tiles: 1, stored, trained: false }),
    prompt: decoderPiece(config, { batch, tokens, stored, learns: "nothing" }),
    token: decoderPiece(config, { batch, tokens: 1, stored, learns: "nothing" }),
    head: headPiece(config, batch, stored)
  })
  const work = Option.map(measured, ({ seconds, notes }) => {
    const { num_hidden_layers: layers, vocab_size: words } = config.llm_config
    const perTile = blocksUsed(config) * visionBlockFlops(config)
    const seeing = overRows(extents, ({ tiles }) => tiles * perTile) * seconds.vision!
    const reading =
      overRows(extents, ({ tiles, prompt }) => languageFlops(config, prompt) + projectorFlops(config, tiles)) *
      seconds.prompt!
    const perToken = layers * languageLayerFlops(config, 1) * seconds.token! + words * seconds.head!
    const answering = overRows(extents, ({ answer }) => answer) * perToken
    // Expected answers pass two models, and their rows both heads.
    const share = extents.reduce((sum, extent) => sum + Math.min(divergence, extent.count), 0) / count
    const diverging = 2 * share * (seeing + reading + overRows(extents, ({ answer }) => answer) * words * seconds.head!)
    return { seconds: secondsBy(seconds) + seeing + reading + answering + diverging, notes }
  })
  const told = `answers are taken to be as long as those that the benchmarks expect: ${(overRows(extents, ({ answer }) => answer) / count).toFixed(1)} tokens on average, after prompts of ${tokens}`
  const { seconds, lines } = yield* stageTime(work, files)
  return { seconds, lines: [told, ...lines] }
})
