/** The tensors of both files, each made when its turn to be written comes. */
import { layerOf, parameterOf } from "@speedq/formats"
import type { PackedWeight } from "@speedq/quantizers"
import type { Shape, Tensor } from "@speedq/tensors"
import { blocksUsed, modelTensors, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type Difference, exact, larger } from "../exporter/Difference.ts"
import type { ModelToExport } from "../exporter/Exporter.ts"
import { writtenAs } from "../exporter/entries.ts"
import type { Rest } from "../model/deployedModel.ts"
import { rowsOf } from "../model/rowsOf.ts"
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
const rolled = (bytes: Uint8Array, rows: number): Uint8Array => {
  const row = bytes.length / rows
  const moved = new Uint8Array(bytes.length)
  moved.set(bytes.subarray(row))
  moved.set(bytes.subarray(0, row), bytes.length - row)
  return moved
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
      data: Effect.promise(() =>
        weightData(weight, choice, { from: part * count, to: (part + 1) * count }, (found) => note(parameter, found))
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
      data: Effect.promise(async () => {
        const written = await writtenAs(tensor.alias(), dtype)
        note(parameter, written.difference)
        const bytes = rowsOf(written.bytes, part, names.length)
        return parameter === positions && options.rollPositions ? rolled(bytes, rows) : bytes
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
