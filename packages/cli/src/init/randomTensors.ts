/** Random weights as a stream of bfloat16, tensor by tensor: never more than a chunk of the model is in memory. */
import { bytesOf, type Safetensors } from "@speedq/formats"
import { Random, type Shape, sizeOf } from "@speedq/tensors"
import { f32ToBf16 } from "@speedq/tensors/numbers/halfPrecision"
import { type ModelConfig, modelTensors, type RandomWeightsOptions, randomTensor } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { drawFrom, normalTable } from "./normalTable.ts"

/** Numbers of a chunk: 2 MiB. */
const chunkLength = 2 ** 20
/** Spread of the matrices of released models. */
const deviation = 0.02

/** What writing a tensor does once its turn comes. */
type Tell<R> = (name: string) => Effect.Effect<void, never, R>

/** With the spread of released models, matrices are drawn from the table; everything else is as `randomTensor` makes it, rounded. */
const chunksOf = function* (
  name: string,
  shape: Shape,
  options: RandomWeightsOptions,
  table: Uint16Array
): Generator<Uint8Array> {
  const length = sizeOf(shape)
  if (options.spread !== "fixed" || shape.length === 1) {
    const values = new Float32Array(length)
    randomTensor(name, shape, values, options)
    yield bytesOf(f32ToBf16(values))
    return
  }
  const random = Random.make(options.seed, name)
  const chunk = new Uint16Array(chunkLength)
  for (let start = 0; start < length; start += chunkLength) {
    const part = chunk.subarray(0, Math.min(chunkLength, length - start))
    drawFrom(table, random, part)
    yield bytesOf(part)
  }
}

/** All tensors of a config, in checkpoint order, for `Safetensors.writeModel`. The same seed gives the same bytes. */
export const randomTensors = <R>(
  config: ModelConfig,
  options: RandomWeightsOptions,
  tell: Tell<R>
): readonly Safetensors.TensorSource<never, R>[] => {
  const table = normalTable(deviation)
  return [...modelTensors(config)].map(([name, shape]) => ({
    name,
    dtype: "BF16",
    shape,
    data: Effect.as(tell(name), chunksOf(name, shape, options, table))
  }))
}
