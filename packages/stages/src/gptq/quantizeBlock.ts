/** GPTQ of a block: second moments of what its Linears read, then their codes. */
import { releasePacked } from "@speedq/exports"
import { parameterOf } from "@speedq/formats"
import {
  collectHessians,
  type GptqFactor,
  type GptqSettings,
  gptqFactor,
  gptqWeight,
  type InputSum,
  type PackedWeight,
  packWeight,
  type QuantizerChoice
} from "@speedq/quantizers"
import { cast, noGrad, scope, type Tensor } from "@speedq/tensors"
import { layerErrors } from "../posttraining/layerErrors.ts"
import type { LayerRow } from "../posttraining/PosttrainingState.ts"
import type { OpenBlock, QuantizedBlock } from "../posttraining/posttrainingProgram.ts"

const quantizeLayer = async (
  layer: string,
  choice: QuantizerChoice,
  weight: Tensor,
  factor: GptqFactor,
  options: GptqSettings
): Promise<PackedWeight> => {
  const stored = await gptqWeight(choice, weight, factor, options)
  return await packWeight(layer, choice, weight.shape, stored).finally(() => {
    for (const each of Object.values<Tensor>(stored)) each.release()
  })
}

/** The factor of each Hessian, computed once for all Linears that read the same, which follow each other. */
const factorsOf = (options: GptqSettings) => {
  let last: { readonly hessian: InputSum; readonly factor: GptqFactor } | undefined
  return async (layer: string, hessian: InputSum): Promise<GptqFactor> => {
    if (last?.hessian === hessian) return last.factor
    const moments = (await hessian.sum.read()) as Float32Array
    const factor = gptqFactor(layer, moments, hessian.sum.shape[0]!, options)
    last = { hessian, factor }
    return factor
  }
}

export const quantizeBlock = async (
  { block, choices, weights, inputs, rowFactors }: OpenBlock,
  options: GptqSettings
): Promise<QuantizedBlock> => {
  const collector = collectHessians((layer) => choices.has(layer), rowFactors)
  const packed = new Map<string, PackedWeight>()
  const rows: LayerRow[] = []
  try {
    inputs.observe(block, { ...weights, observe: collector.observe })
    const factorOf = factorsOf(options)
    for (const [layer, hessian] of collector.sums) {
      const choice = choices.get(layer)!
      const weight = noGrad(() => scope(() => cast(weights.get(parameterOf(layer)), "f32")))
      try {
        const factor = await factorOf(layer, hessian)
        const made = await quantizeLayer(layer, choice, weight, factor, options)
        packed.set(layer, made)
        rows.push(await layerErrors({ layer, choice, weight, hessian }, made.unpack))
      } finally {
        weight.release()
      }
    }
    return { packed, parameters: {}, rows }
  } catch (error) {
    releasePacked(packed)
    throw error
  } finally {
    collector.release()
  }
}
