/** AWQ of a decoder layer: scales, then clipping, then rounding to nearest. */
import { packNearest, releasePacked } from "@speedq/exports"
import { parameterOf, weightNames } from "@speedq/formats"
import {
  awqClip,
  collectHessians,
  collectMagnitudes,
  type InputSum,
  isClipped,
  type PackedWeight,
  type QuantizerChoice
} from "@speedq/quantizers"
import { add, cast, noGrad, type Parameters, scope, type Tensor, tensor } from "@speedq/tensors"
import { attentionBranch, type LanguageConfig, layerNames, mlpBranch, type Weights } from "@speedq/vlm-model"
import { searchGrid } from "../autoclip/clipLayer.ts"
import { mapSequences, type Sequences } from "../calibration/sequences.ts"
import { layerErrors } from "../posttraining/layerErrors.ts"
import type { LayerRow } from "../posttraining/PosttrainingState.ts"
import type { OpenBlock, QuantizedBlock } from "../posttraining/posttrainingProgram.ts"
import { type ScaledGroup, scaledGroups } from "./scaledGroups.ts"
import { inverses, scaledColumns, scaledRows } from "./scaling.ts"
import { type Branches, searchScales } from "./searchScales.ts"

export interface AwqSettings {
  /** Exponents that are tried for the scales. */
  readonly steps: number
  readonly clip: boolean
  readonly gridSize: number
  readonly maxShrink: number
}

/** Scales of the columns of a Linear, and those that its rows are divided by; undefined where it has none. */
interface Scales {
  readonly columns: Float32Array | undefined
  readonly rows: Float32Array | undefined
}

type Found = ReadonlyMap<ScaledGroup, Float32Array>

const scalesOf = (layer: string, found: Found): Scales => {
  const of = (isOf: (group: ScaledGroup) => boolean) => [...found].find(([group]) => isOf(group))?.[1]
  return { columns: of(({ layers }) => layers.includes(layer)), rows: of(({ before }) => before === layer) }
}

/** The weight as it is stored: columns times their scales, rows divided by theirs. In the caller's scope. */
const scaled = (weight: Tensor, { columns, rows }: Scales): Tensor => {
  const wide = columns === undefined ? weight.alias() : scaledColumns(weight, columns)
  return rows === undefined ? wide : scaledRows(wide, inverses(rows))
}

/** Attention's output over the sequences, and the MLP's over what it reads when nothing is quantized; `release` ends both. */
const branchesOf = (
  { weights, block: { index }, rowFactors }: Pick<OpenBlock, "weights" | "block" | "rowFactors">,
  language: LanguageConfig,
  sequences: Sequences
) => {
  const attention = (from: Weights): Tensor =>
    mapSequences(sequences, (input, positions) => attentionBranch(from, language, index, input, positions))
  const attended = attention(weights)
  const between = noGrad(() => scope(() => add(sequences.hidden, attended)))
  const mlp = (from: Weights): Tensor =>
    mapSequences({ ...sequences, hidden: between }, (input) => mlpBranch(from, language, index, input))
  const { output, down } = layerNames(language, index)
  const branches: Branches = {
    attention: { of: attention, original: () => attended.alias(), rowFactors: rowFactors?.(output) },
    mlp: { of: mlp, original: () => mlp(weights), rowFactors: rowFactors?.(down) }
  }
  const release = () => {
    attended.release()
    between.release()
  }
  return { branches, release }
}

interface LayerToQuantize {
  readonly layer: string
  readonly choice: QuantizerChoice
  /** f32, as in the original model. */
  readonly weight: Tensor
  readonly scales: Scales
  readonly hessian: InputSum
}

const quantizeLayer = async ({ layer, choice, weight, scales, hessian }: LayerToQuantize, settings: AwqSettings) => {
  const group = searchGrid(choice)?.group
  const wide = noGrad(() => scope(() => scaled(weight, scales)))
  let clipped: Tensor | undefined
  try {
    if (settings.clip && group !== undefined && isClipped(layer)) {
      const moments = await hessian.sum.read()
      const values = await awqClip(choice, wide, moments, { ...settings, group }, scales.columns)
      clipped = tensor(weight.backend, values, weight.shape)
    }
    return await packNearest(layer, choice, clipped ?? wide)
  } finally {
    wide.release()
    clipped?.release()
  }
}

/** The weight as the layer's own inputs meet it, in a model whose scales cancel. In the caller's scope. */
const unscaled = (packed: PackedWeight, { columns, rows }: Scales): Tensor =>
  scaled(packed.unpack(), { columns: columns && inverses(columns), rows: rows && inverses(rows) })

/** Parameters that scales change and that are not quantized: norms, biases, and Linears that rules leave as they are. */
const changedParameters = (weights: Weights, choices: OpenBlock["choices"], found: Found): Parameters =>
  noGrad(() =>
    scope(() => {
      const changed: { [name: string]: Tensor } = {}
      for (const [{ before, layers }, scales] of found) {
        const { weight: own, bias } = weightNames(before)
        for (const name of choices.has(before) ? [bias] : [own, bias]) {
          const parameter = changed[name] ?? weights.find(name)
          if (parameter !== undefined) changed[name] = scaledRows(cast(parameter, "f32"), inverses(scales))
        }
        for (const name of layers.filter((layer) => !choices.has(layer)).map(parameterOf)) {
          changed[name] = scaledColumns(cast(changed[name] ?? weights.get(name), "f32"), scales)
        }
      }
      return changed
    })
  )

export const awqBlock = async (
  open: OpenBlock,
  language: LanguageConfig,
  settings: AwqSettings
): Promise<QuantizedBlock> => {
  const { block, choices, weights, inputs, rowFactors } = open
  const shapeOf = (layer: string) => weights.get(parameterOf(layer)).shape
  const groups = scaledGroups(language, block.index, shapeOf).filter(({ layers }) =>
    layers.some((layer) => choices.has(layer))
  )
  const hessians = collectHessians((layer) => choices.has(layer), rowFactors)
  const magnitudes = collectMagnitudes((layer) => groups.some(({ layers }) => layers[0] === layer))
  const packed = new Map<string, PackedWeight>()
  const rows: LayerRow[] = []
  const found = new Map<ScaledGroup, Float32Array>()
  try {
    const observe = (layer: string, input: Tensor) => {
      hessians.observe(layer, input)
      magnitudes.observe(layer, input)
    }
    inputs.observe(block, { ...weights, observe })
    const { branches, release } = branchesOf(open, language, inputs.sequences())
    try {
      for (const group of groups) {
        const { sum, tokens } = magnitudes.sums.get(group.layers[0]!)!
        const mean = Float64Array.from(await sum.read(), (value) => value / tokens)
        const search = { weights, choices, branches, hessians: hessians.sums, steps: settings.steps }
        found.set(group, await searchScales(group, mean, search))
      }
    } finally {
      release()
    }
    for (const [layer, choice] of choices) {
      const weight = noGrad(() => scope(() => cast(weights.get(parameterOf(layer)), "f32")))
      try {
        const hessian = hessians.sums.get(layer)!
        const each: LayerToQuantize = { layer, choice, weight, hessian, scales: scalesOf(layer, found) }
        const made = await quantizeLayer(each, settings)
        packed.set(layer, made)
        rows.push(await layerErrors(each, () => unscaled(made, each.scales)))
      } finally {
        weight.release()
      }
    }
    return { packed, parameters: changedParameters(weights, choices, found), rows }
  } catch (error) {
    releasePacked(packed)
    throw error
  } finally {
    hessians.release()
    magnitudes.release()
  }
}
