/** The search for the scales of one group of Linears: of 20 exponents, the one with which rounding changes the outputs least. */
import { parameterOf } from "@speedq/formats"
import { awqScales, type InputSum, type QuantizerChoice } from "@speedq/quantizers"
import { add, cast, multiply, noGrad, scale, scope, sum, type Tensor } from "@speedq/tensors"
import { mapLayers, type Weights } from "@speedq/vlm-model"
import { outputError } from "../posttraining/outputError.ts"
import type { ScaledGroup } from "./scaledGroups.ts"
import { inverses, scaledColumns, scaledRows } from "./scaling.ts"

/** Attention or the MLP over all sequences. */
interface Branch {
  /** Output [rows, H] with these weights; the caller releases it. */
  readonly of: (weights: Weights) => Tensor
  /** The same when nothing is quantized; the caller releases it. */
  readonly original: () => Tensor
  /** Roots of the weights of its rows; undefined where they count alike. */
  readonly rowFactors: Float32Array | undefined
}
export type Branches = { readonly [branch in "attention" | "mlp"]: Branch }

interface Search {
  readonly weights: Weights
  readonly choices: ReadonlyMap<string, QuantizerChoice>
  readonly branches: Branches
  readonly hessians: ReadonlyMap<string, InputSum>
  readonly steps: number
}

/** The weight of a layer as its inputs meet it when its columns are scaled and then rounded; one that is not quantized stays. */
const roundedUnder = (scales: Float32Array, weight: Tensor, choice: QuantizerChoice | undefined): Tensor =>
  scope(() => {
    if (choice === undefined) return weight.alias()
    const rounded = choice.quantizer.fakeQuantize(choice.config, scaledColumns(weight, scales))
    return scaledColumns(rounded, inverses(scales))
  })

/** Sum of squared differences of rows [rows, H], each by the weight of its row. */
const distance = async (changed: Tensor, original: Tensor, rowFactors: Float32Array | undefined): Promise<number> => {
  const error = noGrad(() =>
    scope(() => {
      const plain = add(changed, scale(original, -1))
      const difference = rowFactors === undefined ? plain : scaledRows(plain, rowFactors)
      return sum(multiply(difference, difference))
    })
  )
  const total = await error.item()
  error.release()
  return total
}

/** Exponent and scales [K] of a group; the first of equal ones. */
export const searchScales = async (
  { layers, measured }: ScaledGroup,
  magnitudes: ArrayLike<number>,
  { weights, choices, branches, hessians, steps }: Search
): Promise<Float32Array> => {
  const originals = new Map(
    layers.map((layer) => [layer, noGrad(() => scope(() => cast(weights.get(parameterOf(layer)), "f32")))] as const)
  )
  const reference = measured === "linear" ? undefined : branches[measured].original()
  const errorOf = async (rounded: ReadonlyMap<string, Tensor>): Promise<number> => {
    if (measured === "linear" || reference === undefined) {
      const [layer] = layers as readonly [string]
      return outputError(originals.get(layer)!, rounded.get(layer)!, hessians.get(layer)!)
    }
    const output = branches[measured].of(mapLayers(weights, (layer, weight) => rounded.get(layer) ?? weight))
    const error = await distance(output, reference, branches[measured].rowFactors)
    output.release()
    return error
  }
  const release = (tensors: ReadonlyMap<string, Tensor>): void => {
    for (const each of tensors.values()) each.release()
  }
  let best: { readonly error: number; readonly scales: Float32Array } | undefined
  try {
    for (let step = 0; step < steps; step++) {
      const scales = awqScales(magnitudes, step / steps)
      const rounded = new Map(
        layers.map(
          (layer) => [layer, noGrad(() => roundedUnder(scales, originals.get(layer)!, choices.get(layer)))] as const
        )
      )
      try {
        const error = await errorOf(rounded)
        if (best === undefined || error < best.error) best = { error, scales }
      } finally {
        release(rounded)
      }
    }
  } finally {
    release(originals)
    reference?.release()
  }
  return best!.scales
}
