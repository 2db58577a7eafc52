/** Seeded random weights of a config's shapes: for trying a machine, and for training from scratch. */
import { layerOf } from "@speedq/formats"
import { type Backend, generate, type Parameters, Random, type Shape, sizeOf, type Tensor } from "@speedq/tensors"
import { isEmbeddingLayer } from "./decoderFamilies.ts"
import type { ModelConfig } from "./ModelConfig.ts"
import { modelTensors } from "./modelLayout.ts"

export interface RandomWeightsOptions {
  readonly seed: number
  /**
   * Spread of matrices. "fixed": normal, 0.02, as the released models were initialized. "fan-in": uniform within
   * 1 / sqrt(inputs), which small models learn from.
   */
  readonly spread: "fixed" | "fan-in"
  /** Value of the layer scales ls1 and ls2: 0.1 in the released models. */
  readonly layerScale: number
}

/** What a tensor starts as: a constant, or a sequence of random numbers. */
const startOf = (
  name: string,
  shape: Shape,
  { spread, layerScale }: RandomWeightsOptions,
  random: Random
): (() => number) => {
  if (/\.ls[12]$/.test(name)) return () => layerScale
  if (/(norm\d?|layernorm|mlp1\.0)\.weight$/.test(name)) return () => 1
  if (name.endsWith(".bias")) return () => 0
  if (spread === "fixed" || isEmbeddingLayer(layerOf(name)) || /class_embedding|position_embedding/.test(name)) {
    return () => 0.02 * random.nextNormal()
  }
  const bound = 1 / Math.sqrt(sizeOf(shape.slice(1)))
  return () => bound * (2 * random.nextUniform() - 1)
}

/** Numbers of one tensor, the same for a seed whatever else is made. */
export const randomTensor = (name: string, shape: Shape, target: Float32Array, options: RandomWeightsOptions): void => {
  const next = startOf(name, shape, options, Random.make(options.seed, name))
  for (let i = 0; i < target.length; i++) target[i] = next()
}

/** All tensors of a config in f32, on a backend. */
export const randomWeights = (backend: Backend, config: ModelConfig, options: RandomWeightsOptions): Parameters =>
  Object.fromEntries(
    [...modelTensors(config)].map(([name, shape]): readonly [string, Tensor] => [
      name,
      generate(backend, { shape, dtype: "f32" }, (bytes) =>
        randomTensor(name, shape, new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4), options)
      )
    ])
  )
