/** Opens the full-precision model that a recipe starts from: config, tokenizer and weights in the backend's memory. */
import { releaseParameters, type SourceModel } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import type { RecipeSettings } from "@speedq/pipeline"
import type { Parameters } from "@speedq/tensors"
import {
  type LoadOptions,
  loadWeights,
  type ModelDirectory,
  modelTensors,
  openModelDirectory,
  resolveCheckpoint,
  storedNames,
  type Tower,
  towerOf
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { Compute } from "../compute/Compute.ts"
import { modelUnreadable } from "../Errors.ts"
import { loadTorchCheckpoint } from "../reference/torchCheckpoint.ts"
import { checkpointFiles } from "./checkpointFiles.ts"
import { readWholePart } from "./partWeights.ts"
import { refusePacked } from "./refusePacked.ts"
import { owned } from "./stageMemory.ts"
import { trying } from "./trying.ts"

/** A recipe, as far as it says where weights are. */
export type ModelPlace = Pick<RecipeSettings, "model" | "parts">

interface SourceOptions extends LoadOptions {
  /** Parts whose weights are elsewhere: a file or a directory each. */
  readonly parts?: ModelPlace["parts"]
}

type Weights = Pick<SourceModel, "weights" | "stored">

/** Weights of the directory's own checkpoint, of parts that are not elsewhere. */
const ownWeights = Effect.fnUntraced(function* (
  { directory, config }: ModelDirectory,
  elsewhere: ReadonlySet<Tower>,
  { select = () => true, ...options }: LoadOptions
) {
  const { backend } = yield* Compute
  const wanted = (name: string) => !elsewhere.has(towerOf(name)) && select(name)
  const shapes = modelTensors(config)
  const names = [...shapes.keys()].filter(wanted)
  const asTheyAre = storedNames(shapes.keys(), "original")
  if (names.length === 0) return { weights: {}, stored: asTheyAre } satisfies Weights
  const pickled = yield* trying(() => {
    const { kind, files } = checkpointFiles(directory)
    return kind === "torch" ? loadTorchCheckpoint(backend, files, shapes, new Set(names)) : undefined
  })
  if (pickled !== undefined) return { weights: pickled, stored: asTheyAre } satisfies Weights
  const { store } = yield* Safetensors.openModel(directory)
  const weights: Parameters = yield* trying(() => {
    refusePacked(store)
    return loadWeights(backend, config, store, { ...options, select: wanted })
  })
  return { weights, stored: resolveCheckpoint(config, store).pieces } satisfies Weights
}, Effect.scoped)

/** Opens the model of `directory` for the life of the scope. Fails with ModelUnreadable, whatever is wrong. */
export const openSourceModel = Effect.fn("openSourceModel")(function* (
  path: string,
  { parts = {}, ...options }: SourceOptions = {}
) {
  const { backend } = yield* Compute
  const unreadable = modelUnreadable(path)
  const directory = yield* Effect.mapError(openModelDirectory(path), unreadable)
  const elsewhere = Object.entries(parts) as readonly (readonly [Tower, string])[]
  let weights: Parameters = {}
  for (const [tower, file] of elsewhere) {
    const part = yield* owned(
      Effect.mapError(
        trying(() => readWholePart(backend, directory.config, tower, file)),
        unreadable
      ),
      releaseParameters
    )
    weights = { ...weights, ...part }
  }
  const own = yield* owned(
    Effect.mapError(ownWeights(directory, new Set(elsewhere.map(([tower]) => tower)), options), unreadable),
    (opened) => releaseParameters(opened.weights)
  )
  return { directory, weights: { ...own.weights, ...weights }, stored: own.stored } satisfies SourceModel
})

/** Opens the model of a recipe, parts from elsewhere included, for the life of the scope. Fails with ModelUnreadable. */
export const openRecipeModel = ({ model, parts }: ModelPlace) =>
  openSourceModel(model, parts === undefined ? {} : { parts })
