/** The largest tensor that a stage has on its backend: a device binds each as one buffer, which may be too large for it. */
import { parameterOf } from "@speedq/formats"
import type { Forecast } from "@speedq/pipeline"
import { formatShape, type Shape, sizeOf } from "@speedq/tensors"
import { modelTensors } from "@speedq/vlm-model"
import { visionTokens } from "./cost.ts"
import type { PlannedModel } from "./plannedModel.ts"

interface Extent {
  /** Layers whose weights are computed in f32, as a whole. */
  readonly widened?: Iterable<{ readonly layer: string }>
  /** Rows that pass a decoder layer together, and tiles that pass a vision block. */
  readonly tokens?: number
  readonly tiles?: number
}

const bytesOf = { bf16: 2, f32: 4 }

/** Of weights as they are stored, of those that are widened, and of what passes the inner layers of tower and decoder. */
export const largestTensor = (
  { config, stored }: Pick<PlannedModel, "config" | "stored">,
  { widened = [], tokens = 0, tiles = 0 }: Extent
): Forecast.LargestTensor => {
  const wide = new Set(Array.from(widened, ({ layer }) => parameterOf(layer)))
  const weights = [...modelTensors(config)].map(([name, shape]) => {
    const dtype = wide.has(name) ? "f32" : stored
    return { name, shape, dtype, bytes: bytesOf[dtype] * sizeOf(shape) }
  })
  const passing = (name: string, shape: Shape) => ({ name, shape, dtype: "f32", bytes: 4 * sizeOf(shape) })
  const { llm_config: language, vision_config: vision } = config
  const all = [
    ...weights,
    passing("activations of a decoder layer", [tokens, language.intermediate_size]),
    passing("activations of a vision block", [tiles * visionTokens(config), vision.intermediate_size])
  ]
  const { name, shape, dtype, bytes } = all.reduce((most, each) => (each.bytes > most.bytes ? each : most))
  return { tensor: `${name} ${formatShape(shape)} in ${dtype}`, bytes }
}
