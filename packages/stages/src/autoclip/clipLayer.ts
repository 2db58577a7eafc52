/** One decoder layer of the clipping search: calibration data through it, and the best ranges of one of its Linears. */
import { parameterOf } from "@speedq/formats"
import {
  type ClippingOptions,
  collectMoments,
  isClipped,
  type QuantizerChoice,
  searchClipping
} from "@speedq/quantizers"
import { cast, noGrad, scope, sum, type Tensor } from "@speedq/tensors"
import { decoderLayerName, type LanguageConfig, type Weights } from "@speedq/vlm-model"
import { passLayer, type Sequences } from "../calibration/sequences.ts"
import type { ChosenMatrix } from "../measuring/weightPieces.ts"

export interface ClippingSearch {
  readonly language: LanguageConfig
  readonly weights: Weights
  /** By layer. */
  readonly choices: ReadonlyMap<string, QuantizerChoice>
  /** The calibration data's name, for messages. */
  readonly source: string
  readonly options: Pick<ClippingOptions, "gridSize" | "maxShrink" | "sampleTokens" | "arithmetic">
}

/** A Linear with its ranges, [out, in / g], and its mean squared output error without and with clipping. */
export interface ClippedLayer {
  readonly layer: string
  readonly min: Tensor
  readonly max: Tensor
  readonly errorBefore: number
  readonly errorAfter: number
}

/** Bits and groups of the even grid that a quantizer is searched on; undefined for one that has none. */
export const searchGrid = ({ quantizer, config }: QuantizerChoice) =>
  quantizer.grid?.extents(config) ?? quantizer.searchedAs?.(config)

/** Bits and groups of a Linear whose weights are clipped; undefined for the others. */
const clippingOf = (
  { choices, options }: Pick<ClippingSearch, "choices" | "options">,
  layer: string
): ClippingOptions | undefined => {
  const choice = choices.get(layer)
  const grid = choice && searchGrid(choice)
  return grid === undefined || !isClipped(layer) ? undefined : { ...grid, ...options }
}

/** Decoder layers up to the last one that has anything to clip: what comes after need not be looked at. */
export const layersToSearch = (
  search: Pick<ClippingSearch, "choices" | "options">,
  language: LanguageConfig
): number => {
  const clipped = [...search.choices.keys()].filter((layer) => clippingOf(search, layer) !== undefined)
  const within = (index: number) => clipped.some((layer) => layer.startsWith(`${decoderLayerName(index)}.`))
  let count = language.num_hidden_layers
  while (count > 0 && !within(count - 1)) count--
  return count
}

/** The matrices that are searched, with what each is searched by. */
export const clippedMatrices = (
  search: Pick<ClippingSearch, "choices" | "options">,
  matrices: readonly ChosenMatrix[]
) =>
  matrices.flatMap((matrix) => {
    const options = clippingOf(search, matrix.layer)
    return options === undefined ? [] : [{ ...matrix, options }]
  })

/**
 * Runs layer `index` on hidden states [rows, H], one sequence at a time. Inputs of its Linears come from layers that
 * are not clipped. Returns the new hidden states, and second moments [in / g, g, g] of the inputs of each Linear that is clipped; the
 * caller releases them. Raises CalibrationEmpty.
 */
export const observeLayer = (search: ClippingSearch, index: number, sequences: Sequences) => {
  const { language, weights, source, options } = search
  const groupOf = (layer: string) => clippingOf(search, layer)?.group
  const collector = collectMoments(source, sequences.hidden.shape[0]!, groupOf, options.sampleTokens)
  try {
    const hidden = passLayer({ ...weights, observe: collector.observe }, language, index, sequences)
    return { hidden, moments: collector.moments, releaseMoments: collector.release }
  } catch (error) {
    collector.release()
    throw error
  }
}

/** Bytes of the ranges of the largest of some Linears: two numbers a group. */
export const clippingBytes = (search: ClippingSearch, layers: Iterable<string>): number =>
  Math.max(
    0,
    ...[...layers].map((layer) => (8 * search.weights.get(parameterOf(layer)).size) / clippingOf(search, layer)!.group)
  )

/** The best ranges of a Linear that is clipped, by second moments of its inputs. The caller releases them. */
export const searchLayer = async (search: ClippingSearch, layer: string, moments: Tensor): Promise<ClippedLayer> => {
  const { min, max, errors, outputs } = noGrad(() =>
    scope(() => {
      const weight = cast(search.weights.get(parameterOf(layer)), "f32")
      const found = searchClipping(weight, moments, clippingOf(search, layer)!)
      return {
        min: found.min,
        max: found.max,
        errors: [sum(found.errorUnclipped), sum(found.error)],
        outputs: weight.shape[0]!
      }
    })
  )
  const [before, after] = await Promise.all(errors.map((error) => error.item()))
  for (const error of errors) error.release()
  return { layer, min, max, errorBefore: before! / outputs, errorAfter: after! / outputs }
}
