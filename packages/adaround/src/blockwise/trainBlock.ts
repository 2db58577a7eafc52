/**
 * Block-AP, the first phase of EfficientQAT (arXiv:2407.11062 §3.2; docs/method.md, "Block-AP"): all weights of a block's Linears and
 * the parameters of their grids are trained together, by straight-through gradients of the mean squared error of the block's output.
 *
 *   loss = mean over tokens and channels of (y_q - y)^2
 *
 * Adam, with one rate for weights and one for scales and zero points, each falling to a twentieth over half a cosine.
 */
import type { QuantizerChoice } from "@speedq/quantizers"
import { adamStep, type Parameters, type Random, scale, scope, valueAndGrad, zeros } from "@speedq/tensors"
import { NothingToRound } from "../Errors.ts"
import type { BlockState } from "../reconstruction/BlockState.ts"
import {
  type Block,
  blockError,
  type ReconstructionBatch,
  type ReconstructionLosses
} from "../reconstruction/reconstruct.ts"
import { type Grids, initialParts, learnedParts, learnedWeight } from "./learnedWeight.ts"

/** Quantizers of a block's Linears, by layer. */
export type LayerChoices = ReadonlyMap<string, QuantizerChoice>

export interface BlockTrainingOptions {
  /** Iterations for the block, over which the rates fall. */
  readonly iterations: number
  /** Rate for the weights of a layer. */
  readonly learningRate: (layer: string) => number
  /** Rate for scales and zero points. */
  readonly gridRate: number
}

/** EfficientQAT's settings. */
export const efficientQatDefaults = {
  epochs: 2,
  batch: 2,
  samples: 4096,
  gridRate: 1e-4,
  /** Of weights of so many bits. */
  learningRate: (bits: number): number => (bits === 2 ? 2e-5 : 1e-5)
}

const adam = { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, decoupled: false }

/** Share of a rate that is left at the end. */
const leftShare = 1 / 20

/** A rate that falls from `rate`, before step 0, to a twentieth of it, after the last one. */
export const fallingRate = (rate: number, step: number, iterations: number): number =>
  rate * (leftShare + ((1 - leftShare) * (1 + Math.cos((Math.PI * step) / iterations))) / 2)

/** Names of the tensors of a layer's state: what is trained, and Adam's moments of it. */
export const trainedTensors = (choice: QuantizerChoice, grids?: Grids): readonly string[] =>
  learnedParts(choice, grids).flatMap((part) => [part, `m.${part}`, `v.${part}`])

/** The state before the first iteration. */
export const initialTraining = (block: Block, choices: LayerChoices, random: Random, grids?: Grids): BlockState => ({
  iteration: 0,
  layers: Object.fromEntries(
    Object.entries(block.grids).map(([layer, grid]) => {
      const parts = Object.entries(initialParts(choices.get(layer)!, grid, grids))
      const tensors = parts.flatMap(([part, value]) => [
        [part, value] as const,
        [`m.${part}`, zeros(value.backend, value.shape)] as const,
        [`v.${part}`, zeros(value.backend, value.shape)] as const
      ])
      return [layer, Object.fromEntries(tensors)]
    })
  ),
  random: random.save()
})

/** The quantized weights of a block, differentiable by what is trained of them. */
export const trainedWeights = (choices: LayerChoices, layers: BlockState["layers"]): Parameters =>
  Object.fromEntries(Object.entries(layers).map(([layer, parts]) => [layer, learnedWeight(choices.get(layer)!, parts)]))

/** Names of what is trained of a layer, among the tensors of its state. */
const trainedParts = (tensors: Parameters): readonly string[] =>
  Object.keys(tensors).filter((name) => tensors[`m.${name}`] !== undefined)

/** Name of a part of a layer among the parameters of the block. */
const nameOf = (layer: string, part: string): string => `${part}.${layer}`

/** One step of Adam on all that is trained of a block, in place; the returned state has the next iteration number. Raises NothingToRound. */
export const trainingStep = (
  block: Block,
  choices: LayerChoices,
  state: BlockState,
  batch: ReconstructionBatch,
  { iterations, learningRate, gridRate }: BlockTrainingOptions
): { readonly state: BlockState; readonly losses: ReconstructionLosses } =>
  scope(() => {
    const { layers, iteration } = state
    if (Object.keys(layers).length === 0) throw new NothingToRound(block.name)
    const trained = Object.keys(layers).flatMap((layer) =>
      trainedParts(layers[layer]!).map((part) => ({ layer, part, name: nameOf(layer, part) }))
    )
    const parameters: Parameters = Object.fromEntries(
      trained.map(({ layer, part, name }) => [name, layers[layer]![part]!])
    )
    const channels = batch.targets.shape.at(-1)!
    const { value, gradients } = valueAndGrad((given: Parameters) => {
      const parts = Object.fromEntries(
        Object.keys(layers).map((layer) => [
          layer,
          Object.fromEntries(trainedParts(layers[layer]!).map((part) => [part, given[nameOf(layer, part)]!]))
        ])
      )
      return {
        loss: scale(blockError(block, trainedWeights(choices, parts), batch), 1 / channels),
        auxiliary: undefined
      }
    })(parameters)
    for (const { layer, part, name } of trained) {
      const { [part]: parameter, [`m.${part}`]: m, [`v.${part}`]: v } = layers[layer]!
      const rate = part === "weight" ? learningRate(layer) : gridRate
      adamStep(
        { parameter: parameter!, gradient: gradients[name]!, m: m!, v: v! },
        { ...adam, learningRate: fallingRate(rate, iteration, iterations), step: iteration + 1 }
      )
    }
    return { state: { ...state, iteration: iteration + 1 }, losses: { reconstruction: value, rounding: undefined } }
  })
