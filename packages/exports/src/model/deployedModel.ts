/** A model as it will be shipped: quantized weights in packed form, everything else in 16 bits. */
import { layerOf, option, parameterOf } from "@speedq/formats"
import { assertFinite, clippedWeight, magnitudeOf, type PackedWeights, type QuantizerChoice } from "@speedq/quantizers"
import { cast, noGrad, type Parameters, scope, sizeOf, type Tensor } from "@speedq/tensors"
import * as Schema from "effect/Schema"
import { RestTooLarge } from "../Errors.ts"
import { packNearest } from "./packNearest.ts"
import type { SourceModel } from "./SourceModel.ts"

export const Rest = option(Schema.Literals(["bf16", "f16", "f32"]), "bf16", {
  description: "Format of all numbers that are not quantized: norms, biases, the projector.",
  source: "released InternVL3 models"
})
export type Rest = typeof Rest.Type

/**
 * A language model trained under quantization: full-precision parameters, and what each weight is quantized with. Blocks of the
 * vision tower that were trained with it are among both, and the projector's quantizers.
 */
export interface LanguageModel {
  /** Trained parameters by name, f32; an embedding or head that was not trained is not among them. */
  readonly parameters: Parameters
  /** Quantizer of each layer, embedding and head included; the others stay as they are. */
  readonly choices: ReadonlyMap<string, QuantizerChoice>
  /** Layers whose codes a method has chosen, so that nothing is left to round; they are not among `parameters` and `choices`. */
  readonly packed?: PackedWeights | undefined
}

/** A quantized vision tower: weights in packed form, and parameters that are known as numbers alone. */
export interface VisionTower {
  /** By layer. */
  readonly packed: PackedWeights
  /** Numbers that were given from outside, quantized or not. They replace those of the source model, and keep their format. */
  readonly values: Parameters
}

/** Artefacts that replace parts of the source model; without one, that part stays the original. */
export interface ModelParts {
  readonly quantizedVision?: VisionTower | undefined
  readonly projector?: Parameters | undefined
  readonly quantizedLanguage?: LanguageModel | undefined
  /** Ranges that weights are clipped to before they are rounded to nearest; trained ones are not. */
  readonly clipping?: Parameters | undefined
}

export interface DeployOptions {
  readonly rest: Rest
  /** Quantizers, to nearest, of layers that no stage has quantized. */
  readonly nearest?: ReadonlyMap<string, QuantizerChoice>
}

/** The bits of its numbers are final: every evaluation and every export of it computes the same. */
export interface DeployedModel {
  /** By layer. */
  readonly packed: PackedWeights
  /** All other parameters, their numbers rounded to `restBits`; matrices held in those, or as the source model holds them. */
  readonly others: Parameters
  readonly restBits: 16 | 32
  /** Parameters, by name, that were given as numbers: no format of the rest rounds them. */
  readonly fixed?: ReadonlySet<string>
  /** What numbers that are still in f32, but rounded, are written in. */
  readonly rest: Rest
  /** Releases what this made, not what it was given. */
  readonly release: () => void
}

/**
 * Rounds numbers of f32 tensors to 16 bits. Matrices stay in them, all others are widened again, as in a model that was
 * loaded: a product with 16-bit weights may sum in another order, and an export must compute what the run did.
 */
const rounded = (tensor: Tensor, rest: Rest): Tensor => {
  if (rest === "f32" || tensor.dtype !== "f32") return tensor.alias()
  const isMatrix = tensor.shape.length === 2
  return noGrad(() => scope(() => (isMatrix ? cast(tensor, rest) : cast(cast(tensor, rest), "f32"))))
}

/** Raises NonFiniteWeight for a parameter that is no number, RestTooLarge for one that rounding made infinite. */
const checkRounded = async (name: string, parameter: Tensor, kept: Tensor, rest: Rest): Promise<void> => {
  if (Number.isFinite(await magnitudeOf(kept))) return
  await assertFinite(name, parameter)
  throw new RestTooLarge({ parameter: name, rest, largest: await magnitudeOf(parameter) })
}

const isStoredIn32Bits = (weights: Parameters): boolean =>
  Object.values(weights).some(({ dtype, shape }) => shape.length === 2 && dtype === "f32")

/** Clips the weight of a layer, where there are ranges for it, and rounds it to nearest. Clipping would hide what is no number. */
const packClipped = async (layer: string, choice: QuantizerChoice, weight: Tensor, ranges: Parameters | undefined) => {
  if (ranges !== undefined) await assertFinite(layer, weight)
  const clipped = noGrad(() => scope(() => clippedWeight(layer, weight, ranges)))
  try {
    return await packNearest(layer, choice, clipped ?? weight)
  } finally {
    clipped?.release()
  }
}

/**
 * Puts the parts together and quantizes what they leave open: weights by the choices of the language model, then by
 * `nearest`. A model of which nothing is quantized is the source model itself. Raises NonFiniteWeight, WeightTooLarge,
 * RestTooLarge; nothing stays allocated then.
 */
export const deployModel = async (
  source: SourceModel,
  { quantizedVision, projector, quantizedLanguage, clipping }: ModelParts,
  { rest, nearest = new Map() }: DeployOptions
): Promise<DeployedModel> => {
  const { packed: packedVision, values = {} } = quantizedVision ?? {}
  const parameters: Parameters = { ...source.weights, ...values, ...projector, ...quantizedLanguage?.parameters }
  const fixed = new Set(Object.keys(values).filter((name) => quantizedLanguage?.parameters[name] === undefined))
  const choices = new Map([...nearest, ...(quantizedLanguage?.choices ?? [])])
  // Blocks of the tower that were trained with the language model are packed anew.
  const isTrained = (layer: string) => quantizedLanguage?.parameters[parameterOf(layer)] !== undefined
  const packed = new Map([
    ...[...(packedVision ?? [])].filter(([layer]) => !isTrained(layer)),
    ...(quantizedLanguage?.packed ?? [])
  ])
  const made: { readonly release: () => void }[] = []
  const release = () => {
    for (const each of made) each.release()
  }
  try {
    for (const [layer, choice] of choices) {
      if (packed.has(layer) || fixed.has(parameterOf(layer))) continue
      const ranges = quantizedLanguage?.choices.has(layer) ? undefined : clipping
      const weight = await packClipped(layer, choice, parameters[parameterOf(layer)]!, ranges)
      packed.set(layer, weight)
      made.push(weight)
    }
    const plain = Object.entries(parameters).filter(([name]) => !packed.has(layerOf(name)))
    const kept: Rest = packed.size === 0 ? "f32" : rest
    const others = Object.fromEntries(
      plain.map(([name, tensor]) => [name, fixed.has(name) ? tensor.alias() : rounded(tensor, kept)])
    )
    made.push(...Object.values(others))
    for (const [name, tensor] of Object.entries(others)) await checkRounded(name, parameters[name]!, tensor, kept)
    const wide = kept === "f32" && isStoredIn32Bits(source.weights)
    return { packed, others, fixed, restBits: wide ? 32 : 16, rest, release }
  } catch (error) {
    release()
    throw error
  }
}

/** Size of a model as it is shipped, and what that is a parameter. */
export const modelSize = ({
  packed,
  others,
  restBits,
  fixed = new Set()
}: DeployedModel): { readonly bytes: number; readonly bitsPerParameter: number } => {
  const quantized = [...packed.values()]
  const plain = Object.values(others).reduce((sum, { size }) => sum + size, 0)
  const bytesOf = ([name, { size, dtype }]: readonly [string, Tensor]): number =>
    (fixed.has(name) && dtype === "f32" ? 4 : restBits / 8) * size
  const plainBytes = Object.entries(others).reduce((sum, each) => sum + bytesOf(each), 0)
  const bytes = quantized.reduce((sum, weight) => sum + weight.bytes, plainBytes)
  const parameters = quantized.reduce((sum, { shape }) => sum + sizeOf(shape), plain)
  return { bytes, bitsPerParameter: (8 * bytes) / parameters }
}
