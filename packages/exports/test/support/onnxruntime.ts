/** Graphs in onnxruntime, where it has a library for this platform. */
import { createRequire } from "node:module"
import type { InferenceSession, Tensor } from "onnxruntime-node"

interface Runtime {
  readonly InferenceSession: { create(file: string | Uint8Array): Promise<InferenceSession> }
  readonly Tensor: new (type: string, data: Float32Array | BigInt64Array, dims: readonly number[]) => Tensor
}

const load = (): Runtime | string => {
  try {
    return createRequire(import.meta.url)("onnxruntime-node") as Runtime
  } catch (error) {
    return (error as Error).message
  }
}

const loaded = load()

/** Why it does not run here; undefined where it does. */
export const runtimeFault = typeof loaded === "string" ? loaded : undefined

export const runtime = (): Runtime => {
  if (typeof loaded === "string") throw new Error(loaded)
  return loaded
}
