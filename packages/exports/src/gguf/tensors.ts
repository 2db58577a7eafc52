/** The tensors of both files, each made when its turn to be written comes. */
import { layerOf, parameterOf } from "@speedq/formats"
import type { PackedWeight } from "@speedq/quantizers"
import { noGrad, reshape, type Shape, type Tensor } from "@speedq/tensors"
import { blocksUsed, modelTensors, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type Difference, exact, larger } from "../exporter/Difference.ts"
import type { ModelToExport } from "../exporter/Exporter.ts"
import { type Writing, writtenAs } from "../exporter/writtenAs.ts"
import type { Rest } from "../model/deployedModel.ts"
import { partRows, type Rows } from "../model/numberRows.ts"
import type { BlockType } from "./blocks/BlockType.ts"
import { BF16, F16, F32 } from "./blocks/floats.ts"
import { type Choice, chooseType, type Fallback } from "./chooseType.ts"
import { ggufNames, visionBlockOf } from "./ggufNames.ts"
import { weightData } from "./weightData.ts"
import type { GgufTensor } from "./writeGguf.ts"

interface TensorOptions {
  readonly fallback: Fallback
  /** Whether the row of the class token is the last of the positions. */
  readonly rollPositions: boolean
}

interface GgufTensors {
  readonly text: readonly GgufTensor[]
  readonly vision: readonly GgufTensor[]
  /** Layers of which not even the codes are kept. */
  readonly fallenBack: readonly string[]
  /** Parameters with numbers that their type does not hold; known when everything is written. */
  readonly tooLarge: () => readonly string[]
  /** How far numbers as written are from those of the model; known when everything is written. */
  readonly difference: () => Difference
}

const positions = "vision_model.embeddings.position_embedding"

const floats: { readonly [dtype in Rest]: BlockType } = { bf16: BF16, f16: F16, f32: F32 }

/** Without the leading extents of 1 that a checkpoint gives to positions and class token. */
const squeezed = (shape: Shape): Shape => {
  const first = shape.findIndex((extent) => extent !== 1)
  return first < 0 ? shape.slice(-1) : shape.slice(first)
}

/** The first row after all others. */
const rolled = (rows: number): readonly Rows[] => [
  { from: 1, to: rows },
  { from: 0, to: 1 }
]

/** Runs of rows of a tensor under another shape, one after the other. */
async function* inRuns(tensor: Tensor, shape: Shape, runs: readonly Rows[], writing: Omit<Writing, "rows">) {
  const matrix = noGrad(() => reshape(tensor, shape))
  try {
    for (const rows of runs) yield* writtenAs(matrix, { ...writing, rows })
  } finally {
    matrix.release()
  }
}

/** Everything that both files hold. Numbers that are not quantized keep their bits: matrices in their own format, all others in f32. */
export const ggufTensors = ({ source, deployed }: ModelToExport, options: TensorOptions): GgufTensors => {
  const { config } = source.directory
  const choices = new Map([...deployed.packed].map(([layer, weight]) => [layer, chooseType(weight, options.fallback)]))
  let difference = exact
  const tooLarge = new Set<string>()
  const note = (parameter: string, found: Difference) => {
    difference = larger(difference, found)
    if (!Number.isFinite(found.maxAbsErr)) tooLarge.add(parameter)
  }

  const quantized = (parameter: string, weight: PackedWeight, choice: Choice): readonly GgufTensor[] => {
    const names = ggufNames(parameter)
    const [rows, columns] = weight.shape as readonly [number, number]
    const count = rows / names.length
    return names.map((name, part) => ({
      name,
      type: choice.type,
      shape: [count, columns],
      data: Effect.sync(() =>
        weightData(weight, choice, partRows(rows, part, names.length), (found) => note(parameter, found))
      )
    }))
  }

  const plain = (parameter: string, tensor: Tensor, isMatrix: boolean): readonly GgufTensor[] => {
    const names = ggufNames(parameter)
    const dtype: Rest = isMatrix ? (tensor.dtype as Rest) : "f32"
    const [rows = 1, ...rest] = squeezed(tensor.shape)
    return names.map((name, part) => ({
      name,
      type: floats[dtype],
      shape: [rows / names.length, ...rest],
      data: Effect.sync(() => {
        const isRolled = parameter === positions && options.rollPositions
        const runs = isRolled ? rolled(rows) : [partRows(rows, part, names.length)]
        return inRuns(tensor, [rows, ...rest], runs, { dtype, done: (found) => note(parameter, found) })
      })
    }))
  }

  const tensorsOf = (parameter: string, shape: Shape): readonly GgufTensor[] => {
    const layer = layerOf(parameter)
    const weight = deployed.packed.get(layer)
    if (weight !== undefined) return quantized(parameter, weight, choices.get(layer)!)
    return plain(parameter, deployed.others[parameter]!, shape.length === 2)
  }
  const used = [...modelTensors(config)].filter(([parameter]) => (visionBlockOf(parameter) ?? 0) < blocksUsed(config))
  const ofFile = (isText: boolean) =>
    used
      .filter(([parameter]) => (towerOf(parameter) === "language") === isText)
      .flatMap(([parameter, shape]) => tensorsOf(parameter, shape))
  const isUsed = (layer: string) => used.some(([parameter]) => parameter === parameterOf(layer))
  return {
    text: ofFile(true),
    vision: ofFile(false),
    fallenBack: [...choices]
      .filter(([layer, { keeps }]) => keeps === "nothing" && isUsed(layer))
      .map(([layer]) => layer),
    tooLarge: () => [...tooLarge],
    difference: () => difference
  }
}
