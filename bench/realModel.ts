/** Weights of InternVL3-1B's shapes for the cases: numbers that keep activations finite, none of them trained. */
import { readFileSync } from "node:fs"
import { type Backend, keep, type Parameters, type Shape, sizeOf, type Tensor } from "@speedq/tensors"
import { ModelConfig, modelTensors } from "@speedq/vlm-model"
import * as Schema from "effect/Schema"
import { normal } from "./measure.ts"

/** The config of InternVL3-1B. */
export const realConfig = (): ModelConfig =>
  Schema.decodeUnknownSync(ModelConfig)(
    JSON.parse(readFileSync(new URL("../configs/models/internvl3-1b.json", import.meta.url), "utf8"))
  )

/** Random weights of the tensors that `select` takes; matrices in bf16 where `stored` says so. */
export const realWeights = (
  backend: Backend,
  config: ModelConfig,
  stored: "bf16" | "f32",
  select: (name: string) => boolean
): Parameters => {
  const make = (shape: Shape): Tensor => {
    if (shape.length !== 2) return keep(normal(backend, shape, 0.1))
    return keep(normal(backend, shape, 0.02, 1, stored))
  }
  return Object.fromEntries(
    [...modelTensors(config)].flatMap(([name, shape]) => (select(name) ? [[name, make(shape)] as const] : []))
  )
}

/** Bytes of all tensors of a record. */
export const bytesOfWeights = (weights: Parameters): number =>
  Object.values(weights).reduce((sum, { shape, dtype }) => sum + sizeOf(shape) * (dtype === "f32" ? 4 : 2), 0)

/** Largest resident memory of this process so far, GiB. */
export const peakGib = (): number => process.resourceUsage().maxRSS / 2 ** 20
