/** Small models, quantized to nearest, and their exports. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Safetensors } from "@speedq/formats"
import type { QuantizerChoice } from "@speedq/quantizers"
import type { Backend } from "@speedq/tensors"
import { loadWeights, modelTensors, openModelDirectory, resolveNames } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type DeployedModel, decodeExport, deployModel, type SourceModel, writeExport } from "../../src/index.ts"

export const nano = new URL("../../../../data/nano/model", import.meta.url).pathname

/** A directory for a test's files, and its end. */
export const temporary = (name: string) => {
  const directory = mkdtempSync(join(tmpdir(), `speedq-${name}-`))
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

/** Loads a model; its weights are the caller's. */
export const openSource = (backend: Backend, from = nano): Promise<SourceModel> =>
  Effect.gen(function* () {
    const directory = yield* openModelDirectory(from)
    const { store } = yield* Safetensors.openModel(from)
    const { pieces: stored } = resolveNames(modelTensors(directory.config).keys(), store.tensors.keys())
    return { directory, weights: loadWeights(backend, directory.config, store), stored }
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer), Effect.runPromise)

/** Rounds layers to nearest; the rest stays in f32 unless said otherwise. */
export const deploy = (
  source: SourceModel,
  nearest: ReadonlyMap<string, QuantizerChoice> = new Map(),
  rest: "bf16" | "f32" = "f32"
): Promise<DeployedModel> => deployModel(source, {}, { rest, nearest })

/** Writes an export into `directory`, and gives its certificate. */
export const exportTo = (
  directory: string,
  format: string,
  source: SourceModel,
  deployed: DeployedModel,
  options: object = {}
) =>
  writeExport(decodeExport({ format, with: options }), { source, deployed, directory, recipe: "test" }).pipe(
    Effect.map(({ exported }) => exported),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )
