/** The tiny InternVL3 of test/fixtures/internvl3, the batch of one picture that PyTorch ran it on, and other ways to store it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { decodeFloats, encodeFloats, type FloatDType, isFloatDType, Safetensors } from "@speedq/formats"
import { type Backend, noGrad, type Shape, scope, type Tensor, tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import {
  decoder,
  imageTokenRows,
  loadWeights,
  logitsOfRows,
  type ModelConfig,
  mergeEmbeddings,
  projector,
  readModelConfig,
  visionFeatures,
  type Weights,
  weightsFrom
} from "../src/index.ts"
import { sharedFixturePath } from "./fixture.ts"

export const tinyDirectory = sharedFixturePath("internvl3/checkpoint")
export const tinyConfig: ModelConfig = readModelConfig(tinyDirectory)

export interface StoredTensor {
  readonly shape: Shape
  readonly values: Float32Array
}

const readAll = (path: string): ReadonlyMap<string, StoredTensor> => {
  const store = Safetensors.openModelSync(path)
  try {
    return new Map(
      [...store.tensors].map(([name, { dtype, shape }]) => {
        const bytes = store.read(name)
        const values = isFloatDType(dtype)
          ? decodeFloats(dtype, bytes)
          : Float32Array.from(dtype === "I64" ? new BigInt64Array(bytes.buffer) : bytes, Number)
        return [name, { shape, values }]
      })
    )
  } finally {
    store.close()
  }
}

/** Every tensor of the checkpoint, under its original name. */
export const tinyTensors: ReadonlyMap<string, StoredTensor> = readAll(tinyDirectory)

const fixture = readAll(sharedFixturePath("internvl3/forward-single-tile.safetensors"))

/** The inputs of fixture forward-single-tile without its padding, and the logits that PyTorch computed from them. */
const tokens = fixture.get("attention_mask")!.values.indexOf(0)
export const single = {
  ids: Int32Array.from(fixture.get("input_ids")!.values.subarray(0, tokens)),
  pixels: fixture.get("pixel_values")!,
  imageToken: 159,
  logits: fixture.get("logits")!.values.subarray(0, tokens * tinyConfig.llm_config.vocab_size),
  visual: fixture.get("visual_embeds")!.values
}

/** Writes tensors and a config as a model directory. */
export const writeModelDirectory = (
  directory: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  options: { readonly config?: unknown; readonly dtype?: FloatDType; readonly maxShardBytes?: number } = {}
) => {
  const { dtype = "F32", maxShardBytes } = options
  mkdirSync(directory, { recursive: true })
  const config = options.config ?? JSON.parse(readFileSync(join(tinyDirectory, "config.json"), "utf8"))
  writeFileSync(join(directory, "config.json"), JSON.stringify(config))
  return Safetensors.writeModel(
    directory,
    [...tensors].map(([name, { shape, values }]) => ({
      name,
      dtype,
      shape: [...shape],
      data: Effect.sync(() => encodeFloats(dtype, values))
    })),
    maxShardBytes === undefined ? {} : { maxShardBytes }
  )
}

/** Loads a model directory onto a backend. */
export const loadDirectory = (backend: Backend, directory: string, matrices: "stored" | "f32" = "f32") => {
  const config = readModelConfig(directory)
  const store = Safetensors.openModelSync(directory)
  try {
    return { config, parameters: loadWeights(backend, config, store, { matrices }) }
  } finally {
    store.close()
  }
}

/** Embeddings [1, T, H] of the single-tile batch. */
export const singleEmbeddings = (backend: Backend, config: ModelConfig, weights: Weights): Tensor =>
  scope(() => {
    const { ids, pixels, imageToken } = single
    const visual = projector(weights, visionFeatures(weights, config, tensor(backend, pixels.values, pixels.shape)))
    const index = tensor(backend, ids, [1, ids.length], "i32")
    return mergeEmbeddings(weights, tinyConfig.llm_config, index, [visual], imageTokenRows(ids, imageToken))
  })

/** Logits [T, V] of all tokens of the single-tile batch, or of some rows. */
export const singleLogits = async (
  backend: Backend,
  config: ModelConfig,
  parameters: { readonly [name: string]: Tensor },
  rows = Array.from(single.ids.keys())
): Promise<Float32Array> => {
  const weights = weightsFrom(parameters)
  const logits = noGrad(() =>
    scope(() => {
      const embeddings = singleEmbeddings(backend, config, weights)
      const positions = tensor(backend, Int32Array.from(single.ids.keys()), [1, single.ids.length], "i32")
      const hidden = decoder(weights, config.llm_config, embeddings, { ids: positions })
      return logitsOfRows(weights, config.llm_config, hidden, tensor(backend, rows, [rows.length], "i32"))
    })
  )
  const values = (await logits.read()) as Float32Array
  logits.release()
  return values
}

/** Largest |a - b|; infinity where the lengths differ. */
export const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length !== b.length
    ? Number.POSITIVE_INFINITY
    : Array.from(a).reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!)), 0)
