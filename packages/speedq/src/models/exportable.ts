/** What can be exported: a run, a packed model, or what the reference wrote. */
import { existsSync } from "node:fs"
import { basename, join, resolve } from "node:path"
import {
  type DeployedModel,
  deployModel,
  descriptionName,
  type PackedModel,
  readPackedModel,
  releasePacked,
  releaseParameters,
  type SourceModel,
  unpackAll
} from "@speedq/exports"
import { jsonString, readTextSync, Safetensors } from "@speedq/formats"
import { RecipeSettings, type RunRecord, readRunRecord } from "@speedq/pipeline"
import { isPackedContainer } from "@speedq/quantizers"
import {
  Compute,
  computing,
  detailsDirectory,
  Extensions,
  openRecipeModel,
  openReferenceModel,
  owned
} from "@speedq/stages"
import type { Parameters } from "@speedq/tensors"
import { type ModelDirectory, openModelDirectory, readLayout, storedNames } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { NoRun, NotExportable } from "../Errors.ts"
import { workingDirectoryOf } from "../recipes/workingDirectory.ts"
import { runParts } from "./runParts.ts"

interface Exportable {
  readonly source: SourceModel
  readonly deployed: DeployedModel
  /** The recipe that it was made by, or a name where there is none. */
  readonly recipe: Schema.Json
  /** Where it is exported to by itself. */
  readonly directory: (format: string) => string
}

/** A recipe, as far as an export needs it. */
const RecipeParts = Schema.Struct({
  model: Schema.String,
  parts: RecipeSettings.fields.parts,
  stages: Schema.Array(Schema.StructWithRest(Schema.Struct({}), [Schema.Record(Schema.String, Schema.Json)]))
})
const decodeRecipe = Schema.decodeUnknownSync(RecipeParts)
const isRest = Schema.is(Schema.Literals(["bf16", "f16", "f32"]))

/** The model that a run's stages made, its unquantized numbers as its recipe wants them. */
const fromRun = Effect.fnUntraced(function* (path: string, record: RunRecord) {
  const { model, parts: elsewhere, stages } = decodeRecipe(record.recipe)
  const rest = stages.map((stage) => stage["rest"]).find(isRest) ?? "bf16"
  const parts = yield* runParts(path, record)
  const home = workingDirectoryOf(path, record)
  const here = (file: string) => (home === process.cwd() ? file : resolve(home, file))
  const source = yield* openRecipeModel({
    model: here(model),
    ...(elsewhere && { parts: Object.fromEntries(Object.entries(elsewhere).map(([part, file]) => [part, here(file)])) })
  })
  const deployed = yield* owned(
    computing(() => deployModel(source, parts, { rest })),
    ({ release }) => release()
  )
  const directory = (format: string) => join(path, "model", format)
  return { source, deployed, recipe: record.recipe, directory } satisfies Exportable
})

/** quantization.json, as far as an export needs it. */
const Description = Schema.Struct({ recipe: Schema.Json })
const decodeDescription = Schema.decodeUnknownSync(jsonString(Description))

/** The recipe that a packed model says it was made by; its own name where it says nothing. */
const recipeOf = (path: string) =>
  Effect.try({
    try: () => {
      const file = join(path, descriptionName)
      return existsSync(file) ? decodeDescription(readTextSync(file)).recipe : basename(resolve(path))
    },
    catch: (error) =>
      new NotExportable({ path, reason: `its ${descriptionName} is damaged: ${(error as Error).message}` })
  })

/** Weights that are quantized already, as a model that a run made of its source: the source has them unpacked. */
const asMade = Effect.fnUntraced(function* (path: string, directory: ModelDirectory, { packed, others }: PackedModel) {
  const unpacked = yield* owned(
    computing(() => unpackAll(packed)),
    releaseParameters
  )
  const weights: Parameters = { ...others, ...unpacked }
  const source: SourceModel = {
    directory,
    weights,
    stored: storedNames(Object.keys(weights), readLayout(directory.directory))
  }
  const deployed: DeployedModel = { packed, others, restBits: 16, rest: "bf16", release: () => {} }
  const directoryOf = (format: string) => `${resolve(path)}-${format}`
  return { source, deployed, recipe: yield* recipeOf(path), directory: directoryOf } satisfies Exportable
})

/** A packed model: what is written may be either form. */
const fromPacked = Effect.fnUntraced(function* (path: string) {
  const { backend } = yield* Compute
  const known = (yield* Extensions).quantizers
  const directory = yield* openModelDirectory(path)
  const { store } = yield* Safetensors.openModel(path)
  const model = yield* owned(
    computing(() => readPackedModel(backend, directory.config, store, known)),
    ({ packed, others }) => {
      releasePacked(packed)
      releaseParameters(others)
    }
  )
  return yield* asMade(path, directory, model)
})

/** The artefacts of the reference's save_fake_quant. */
const fromReference = Effect.fnUntraced(function* (path: string) {
  const { directory, deployed } = yield* openReferenceModel(path)
  return yield* asMade(path, directory, deployed)
})

/** Opens what `path` holds, for the life of the scope. Fails with NotExportable, NoRun where a run's record is damaged, and with what reading a model fails with. */
export const openExportable = Effect.fn("openExportable")(function* (path: string) {
  const record = yield* readRunRecord(path)
  if (Option.isSome(record)) return yield* fromRun(path, record.value)
  const noRun = NoRun.in(path)
  if (noRun.damaged) return yield* noRun
  if (detailsDirectory(path) !== undefined) return yield* fromReference(path)
  const isPacked = yield* Effect.scoped(
    Effect.map(Safetensors.openModel(path), ({ store }) => isPackedContainer(store))
  )
  if (isPacked) return yield* fromPacked(path)
  // Quantizing dequantized weights again would move their grids: that is another model.
  const reason = `it is neither a run nor a packed model, and it does not hold the reference's artefacts; give the run that made it, or quantize it with "speedq run"`
  return yield* new NotExportable({ path, reason })
})
