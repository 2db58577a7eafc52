/** The network that is trained: where it starts, and how its weights are made of the trained parameters. */
import { packedWeights, releasePacked, releaseParameters, type SourceModel, unpackAll } from "@speedq/exports"
import { layerOf, parameterOf } from "@speedq/formats"
import { clippedWeight, type PackedWeights, type QuantizerChoice } from "@speedq/quantizers"
import { type Parameters, recomputed } from "@speedq/tensors"
import { embeddingLayerOf, headLayerOf, type ModelConfig, mapLayers, towerOf, type Weights } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { byName } from "../artefacts/tensorCodec.ts"
import { computing } from "../compute/computing.ts"
import { copyParameters } from "../model/copyParameters.ts"
import { packMatrices } from "../model/packMatrices.ts"
import { roundedMatrices } from "../model/roundedMatrices.ts"
import { owned } from "../model/stageMemory.ts"
import type { TrainedNetwork } from "./hiddenStates.ts"
import { gridOf, initialGrids, type LearnedGrids, requireTrainedGrids, weightOnGrid } from "./learnedGrids.ts"
import type { Quantized, TrainingInput } from "./TrainingMethod.ts"

interface StudentOptions {
  readonly model: SourceModel
  readonly input: TrainingInput
  readonly quantized: Quantized
  readonly trains: (name: string) => boolean
  /** Whether the grids of Linears that are trained are learned. */
  readonly learnsGrids: boolean
}

interface Student {
  /** New tensors that training starts from, in the caller's scope. */
  readonly initial: () => Parameters
  readonly weightsOf: TrainedNetwork["weightsOf"]
  /** Quantizers of the weights that are fake-quantized whenever they are read, by layer. */
  readonly choices: ReadonlyMap<string, QuantizerChoice>
  /** Grids that are learned, by layer; their parameters are among those that training starts from. */
  readonly grids: LearnedGrids
}

/**
 * Weights clipped, once, to the ranges that the clipping search found; in the caller's scope. Those that were clipped are given back one
 * by one, as all of them together are as large as what is trained.
 */
const clipped = (weights: Parameters, ranges: Parameters | undefined): Parameters =>
  Object.fromEntries(
    Object.entries(weights).map(([name, weight]) => {
      const narrowed = clippedWeight(layerOf(name), weight, ranges)
      if (narrowed !== undefined) weight.release()
      return [name, narrowed ?? weight]
    })
  )

/**
 * Weights as training sees them: on their learned grid, or quantized by the choice of their layer, everything else as it is. Copies are
 * not kept for the backward pass, but quantized again: those of a whole model are as large as what is trained.
 */
const fakeQuantized = (
  weights: Weights,
  { choices, grids }: Pick<Student, "choices" | "grids">,
  parameters: Parameters
): Weights =>
  mapLayers(weights, (layer, tensor) => {
    const grid = grids.get(layer)
    if (grid !== undefined) {
      const { factor, shift } = gridOf(layer, parameters)
      const moved = { tensor, factor, ...(shift === undefined ? {} : { shift }) }
      return recomputed(({ tensor, ...trained }) => weightOnGrid(grid, tensor, trained), moved)
    }
    const choice = choices.get(layer)
    return choice === undefined
      ? tensor
      : recomputed(({ tensor }) => choice.quantizer.fakeQuantize(choice.config, tensor), { tensor })
  })

/** In order of name, as a continued run loads them: sums over all of them then have the same bits. */
const inOrder = (parameters: Parameters): Parameters => Object.fromEntries(Object.entries(parameters).sort(byName))

/**
 * The embedding, where it is frozen, quantized by rows and not the head as well: its rows are made of the codes when they are asked
 * for, the same bits as those of the whole matrix in f32. A head is multiplied as a whole.
 */
export const rowsOfCodes = (
  { llm_config }: ModelConfig,
  rounded: ReadonlyMap<string, QuantizerChoice>
): ReadonlyMap<string, QuantizerChoice> => {
  const embedding = embeddingLayerOf(llm_config)
  return new Map(
    [...rounded].filter(
      ([layer, { quantizer }]) => layer === embedding && layer !== headLayerOf(llm_config) && quantizer.rowwise
    )
  )
}

/** The weights of some layers. */
const picked = (weights: Parameters, layers: Iterable<string>): Parameters =>
  Object.fromEntries(Array.from(layers, parameterOf).map((name) => [name, weights[name]!]))

/** The layers of a map that are trained, or those that are not. */
const layersThat = <A>(
  layers: ReadonlyMap<string, A>,
  trains: StudentOptions["trains"],
  wanted: boolean
): ReadonlyMap<string, A> => new Map([...layers].filter(([layer]) => trains(parameterOf(layer)) === wanted))

/**
 * The student of a training stage, for the life of the scope: trained weights start as the earlier stages left them, embedding
 * and head are quantized once, from the original, and Linears with a quantizer are fake-quantized whenever they are read; so are
 * blocks of a quantized tower that are trained, and the head where it is. Fails with RulesInvalid where a grid is to be learned that
 * cannot be.
 */
export const makeStudent = Effect.fnUntraced(function* ({
  model,
  input,
  quantized,
  trains,
  learnsGrids
}: StudentOptions) {
  const { linears, embeddings } = quantized
  const { packed = new Map() as PackedWeights, values = {} } = input.quantizedVision ?? {}
  const learning: PackedWeights = layersThat(packed, trains, true)
  const begun: PackedWeights = layersThat(input.quantizedLanguage?.packed ?? new Map(), trains, true)
  const rounded = layersThat(embeddings.choices, trains, false)
  const byRows = rowsOfCodes(model.directory.config, rounded)
  const table: PackedWeights = yield* owned(
    computing(() => packMatrices(picked(model.weights, byRows.keys()), byRows)),
    releasePacked
  )
  const frozen = yield* owned(
    Effect.sync(() => roundedMatrices(model.weights, new Map([...rounded].filter(([layer]) => !byRows.has(layer))))),
    releaseParameters
  )
  const learningChoices = new Map([...learning].map(([layer, { choice }]) => [layer, choice] as const))
  const choices = new Map([...linears.choices, ...layersThat(embeddings.choices, trains, true), ...learningChoices])
  const learned = layersThat(new Map([...linears.choices, ...learningChoices]), trains, true)
  const grids = yield* requireTrainedGrids(learnsGrids ? learned : new Map())
  const before: Parameters = { ...model.weights, ...values, ...input.projector, ...input.quantizedLanguage?.parameters }
  // A tower of which nothing is trained is seen as its features alone.
  const tower = Object.keys(model.weights).some((name) => towerOf(name) === "vision" && trains(name))
    ? layersThat(packed, trains, false)
    : new Map()
  const student: Student = {
    choices,
    grids,
    initial: () => {
      const start = copyParameters({ ...before, ...unpackAll(learning), ...unpackAll(begun) }, trains)
      return inOrder({ ...clipped(start, input.clipping), ...initialGrids(grids, start) })
    },
    weightsOf: (parameters) => {
      const weights = fakeQuantized(packedWeights(tower, parameters, frozen, before), { choices, grids }, parameters)
      return table.size === 0 ? weights : { ...weights, byRows: packedWeights(table).byRows! }
    }
  }
  return student
})
