/** Reads a quantized vision tower in whatever form it is handed over: dequantized numbers, a packed model, or a run's artefact. */
import { releasePacked, releaseParameters, type VisionTower } from "@speedq/exports"
import { Safetensors, type TensorStore } from "@speedq/formats"
import { openSaved } from "@speedq/pipeline"
import { isPackedContainer, type PackedWeight, type Quantizer, readPackedContainer } from "@speedq/quantizers"
import type { Backend } from "@speedq/tensors"
import { type ModelConfig, modelTensors, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { QuantizedVision } from "../artefacts/artefacts.ts"
import { Compute } from "../compute/Compute.ts"
import { readPart, weightFiles } from "../model/partWeights.ts"
import { owned } from "../model/stageMemory.ts"
import { trying } from "../model/trying.ts"
import { isTorchFile, using } from "../reference/detailFiles.ts"
import { loadDetailParameters } from "../reference/loadDetailParameters.ts"

/** Metadata that artefacts of runs have, and other safetensors files do not. */
const isArtefact = ({ metadata }: Pick<TensorStore, "metadata">): boolean => metadata["data"] !== undefined

const isVision = (name: string): boolean => towerOf(name) === "vision"

/** The vision tower of a packed model: packed weights as they are, all other parameters as numbers. */
const fromContainer = (
  backend: Backend,
  config: ModelConfig,
  file: string,
  known: readonly Quantizer[]
): VisionTower => {
  const store = Safetensors.openSync(file)
  let packed: ReadonlyMap<string, PackedWeight> = new Map()
  try {
    const all = readPackedContainer(backend, store, known)
    const others = [...all].filter(([layer]) => !isVision(layer))
    releasePacked(new Map(others))
    packed = new Map([...all].filter(([layer]) => isVision(layer)))
    const shapes = modelTensors(config)
    // Entries of packed weights are no parameters by their names.
    const select = (name: string) => shapes.has(name) && isVision(name)
    return { packed, values: using(file, (opened) => loadDetailParameters(backend, opened, shapes, { select })) }
  } catch (error) {
    releasePacked(packed)
    throw error
  } finally {
    store.close()
  }
}

/** What a file of safetensors is, by its metadata. */
export const formOf = (file: string): "artefact" | "container" | "numbers" => {
  if (isTorchFile(file)) return "numbers"
  const store = Safetensors.openSync(file)
  try {
    return isArtefact(store) ? "artefact" : isPackedContainer(store) ? "container" : "numbers"
  } finally {
    store.close()
  }
}

/** Reads the tower at `path` for the life of the scope. Fails with an error that says what is wrong with it. */
export const readTower = Effect.fn("readTower")(function* (
  config: ModelConfig,
  path: string,
  known: readonly Quantizer[]
) {
  const { backend } = yield* Compute
  const [file, ...others] = yield* trying(() => weightFiles(path))
  if (file === undefined) return yield* Effect.fail(new Error("the directory has no checkpoint"))
  const form = others.length > 0 ? "numbers" : yield* trying(() => formOf(file))
  if (form === "artefact") return yield* QuantizedVision.codec.load(yield* openSaved(file))
  const read = (): VisionTower =>
    form === "container"
      ? fromContainer(backend, config, file, known)
      : { packed: new Map(), values: readPart(backend, config, "vision", path) }
  return yield* owned(trying(read), ({ packed, values }) => {
    releasePacked(packed)
    releaseParameters(values)
  })
})
