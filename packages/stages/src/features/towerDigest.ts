/**
 * The digest of a vision tower: everything that its features rest on besides the pixels. Two towers with equal digests give equal bits:
 * the numbers of all weights as the tower reads them (quantized ones unpacked, in the type in which they are multiplied), its
 * configuration, the version of kernels, and what computes them.
 */
import { createHash } from "node:crypto"
import { cpus } from "node:os"
import { bytesOf } from "@speedq/formats"
import { type Backend, kernelSetVersion, type NativeBackend, noGrad, scope } from "@speedq/tensors"
import { type ModelConfig, modelTensors, towerOf, type Weights } from "@speedq/vlm-model"
import type { FeatureNumbers } from "./featureRecord.ts"

/** Version of how features are made of pixels: raised when the same weights and kernels give others. */
const featuresVersion = 1

const isNative = (backend: Backend): backend is NativeBackend => backend.kind === "native"

/**
 * What decides the bits of a backend: its libraries with what they were built for, how many threads share a product, the engine that
 * runs WebAssembly, and the processor, by which libraries choose their kernels.
 */
const computedBy = (backend: Backend) => {
  const { name, arithmetic } = backend
  const { simd, blas, onednn, threads, multipliesBfloat16, tiles } = isNative(backend) ? backend.description : {}
  const native = { simd, blas, onednn, threads, multipliesBfloat16, tiles }
  return { name, arithmetic, ...native, processor: cpus()[0]?.model, engine: process.versions.v8 }
}

interface Tower {
  readonly backend: Backend
  readonly config: ModelConfig
  readonly weights: Weights
  readonly numbers: FeatureNumbers
}

/** 64 hexadecimal digits. Reads all weights of the tower once. */
export const towerDigest = async ({ backend, config, weights, numbers }: Tower): Promise<string> => {
  const { vision_config, select_layer, ps_version } = config
  const hash = createHash("sha256")
  const facts = { featuresVersion, kernelSetVersion, numbers, vision_config, select_layer, ps_version }
  hash.update(JSON.stringify({ ...facts, by: computedBy(backend) }))
  for (const name of modelTensors(config).keys()) {
    if (towerOf(name) !== "vision") continue
    const tensor = noGrad(() => scope(() => weights.find(name)?.alias()))
    if (tensor === undefined) continue
    const values = await tensor.read().finally(() => tensor.release())
    hash.update(`\n${name} ${tensor.dtype} ${tensor.shape.join("x")}\n`).update(bytesOf(values))
  }
  return hash.digest("hex")
}
