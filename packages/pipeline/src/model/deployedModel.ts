/** A model as it will be shipped: quantized weights in packed form, everything else as it is. */
import { type PackedWeight, type PackedWeights, packWeight, type QuantizerChoice } from "@speedq/quantizers"
import { cast, noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"
import { type Weights, weightsFrom } from "@speedq/vlm-model"
import type { LanguageModel } from "../artefacts.ts"
import type { SourceModel } from "./SourceModel.ts"

/** Artefacts that replace parts of the source model; without one, that part stays the original. */
export interface ModelParts {
  readonly quantizedVision?: PackedWeights | undefined
  readonly projector?: Parameters | undefined
  readonly quantizedLanguage?: LanguageModel | undefined
}

export interface DeployedModel {
  /** By parameter name. */
  readonly packed: PackedWeights
  /** All other parameters; tensors of the source model and of its parts. */
  readonly others: Parameters
  /** Releases what this made, not what it was given. */
  readonly release: () => void
}

/**
 * Puts the parts together and quantizes what they leave open: weights by the choices of the language model, then by
 * `nearest` (rounding to nearest, for comparison).
 */
export const deployModel = async (
  source: SourceModel,
  { quantizedVision, projector, quantizedLanguage }: ModelParts,
  nearest: ReadonlyMap<string, QuantizerChoice> = new Map()
): Promise<DeployedModel> => {
  const parameters: Parameters = { ...source.weights, ...projector, ...quantizedLanguage?.parameters }
  const choices = new Map([...nearest, ...(quantizedLanguage?.choices ?? [])])
  const packed = new Map<string, PackedWeight>(quantizedVision)
  const made: PackedWeight[] = []
  for (const [name, choice] of choices) {
    if (packed.has(name)) continue
    const weight = parameters[name]!
    const quantized = noGrad(() =>
      scope(() => choice.quantizer.quantize(choice.config, weight.dtype === "f32" ? weight : cast(weight, "f32")))
    )
    const held = await packWeight(choice, weight.shape, quantized)
    for (const tensor of Object.values<Tensor>(quantized)) tensor.release()
    packed.set(name, held)
    made.push(held)
  }
  return {
    packed,
    others: Object.fromEntries(Object.entries(parameters).filter(([name]) => !packed.has(name))),
    release: () => {
      for (const weight of made) weight.release()
    }
  }
}

/** Weights that unpack a layer when it is used, for as long as it is: as little memory as the packed form. */
export const packedWeights = ({ packed, others }: Pick<DeployedModel, "packed" | "others">): Weights => {
  const plain = weightsFrom(others)
  return {
    find: (name) => packed.get(name)?.unpack() ?? plain.find(name),
    get: (name) => packed.get(name)?.unpack() ?? plain.get(name)
  }
}
