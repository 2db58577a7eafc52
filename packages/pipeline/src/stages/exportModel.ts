/** Writes the quantized model as a directory that loads elsewhere (fake-quant) or as the packed container. */
import { copyFile, mkdir, readdir } from "node:fs/promises"
import { join } from "node:path"
import { AtomicFile, Safetensors } from "@speedq/formats"
import { encodeChoice, type PackedWeights, packedContainer } from "@speedq/quantizers"
import { cast, noGrad, type Parameters, scope, sizeOf, type Tensor } from "@speedq/tensors"
import { modelTensors } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Artefact from "../Artefact.ts"
import { type LanguageModel, QuantizedLanguage, QuantizedVision, TrainedProjector } from "../artefacts.ts"
import * as Codec from "../Codec.ts"
import { Compute } from "../compute/Compute.ts"
import { StorageFailed } from "../Errors.ts"
import { type DeployedModel, deployModel } from "../model/deployedModel.ts"
import { openSourceModel, type SourceModel } from "../model/SourceModel.ts"
import * as Stage from "../Stage.ts"
import { tensorSource } from "../tensorCodec.ts"
import { fingerprintOf } from "./fingerprint.ts"

export const ExportConfig = Schema.Struct({
  /** "fake-quant": dequantized weights in the hub's layout; "packed": codes and scales, at the size that `plan` promised. */
  format: Schema.Literals(["fake-quant", "packed"]),
  /** Numbers of what is not packed: bf16 as released, or f32, which keeps every bit. */
  dtype: Schema.Literals(["bf16", "f32"]).pipe(Schema.withDecodingDefaultKey(Effect.succeed("bf16" as const)))
})
type Config = typeof ExportConfig.Type

/** What was written. */
export const Exported = Schema.Struct({
  directory: Schema.String,
  format: Schema.String,
  /** Whether every quantized weight loads with the bits it was trained with. */
  exact: Schema.Boolean,
  /** Largest difference of a weight that loads differently. */
  maxAbsErr: Schema.Number,
  /** Bits a parameter of the whole model. */
  bitsPerWeight: Schema.Number,
  bytes: Schema.Number,
  /** Layers that could not be written in this format and were kept in `dtype`. */
  layersFallenBack: Schema.Array(Schema.String)
})
export type Exported = typeof Exported.Type

export const ExportedModel = Artefact.make("exported", "a model directory that was written", Codec.json(Exported))

/** Everything of a model directory but its weights: config, tokenizer, remote code, licence. */
const copyCompanions = async (from: string, to: string): Promise<void> => {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const isWeights = /\.(safetensors|bin|pth|pt)$|\.index\.json$|^training-state/.test(entry.name)
    if (entry.isFile() && !isWeights) await copyFile(join(from, entry.name), join(to, entry.name))
  }
}

/** Rounds to the export's dtype; also the largest difference that makes. */
const rounded = async (weight: Tensor, dtype: Config["dtype"]): Promise<{ tensor: Tensor; difference: number }> => {
  if (dtype === "f32" || weight.dtype === "bf16") return { tensor: weight.alias(), difference: 0 }
  const narrow = noGrad(() => cast(weight, "bf16"))
  const back = noGrad(() => cast(narrow, "f32"))
  const [before, after] = [await weight.read(), await back.read()]
  back.release()
  let difference = 0
  for (let i = 0; i < before.length; i++) difference = Math.max(difference, Math.abs(before[i]! - after[i]!))
  return { tensor: narrow, difference }
}

interface Entries {
  readonly sources: readonly Safetensors.TensorSource[]
  readonly metadata: Readonly<Record<string, string>>
  readonly maxAbsErr: () => number
}

/** A tensor that is unpacked and rounded when its turn to be written comes, and released after. */
const lazily = (
  name: string,
  shape: readonly number[],
  dtype: Config["dtype"],
  make: () => Tensor,
  note: (difference: number) => void
): Safetensors.TensorSource => ({
  name,
  dtype: dtype === "bf16" ? "BF16" : "F32",
  shape,
  data: Effect.promise(async () => {
    const weight = noGrad(() => scope(make))
    const { tensor, difference } = await rounded(weight, dtype)
    note(difference)
    const bytes = Uint8Array.from(await tensor.backend.read(tensor.storage.handle))
    weight.release()
    tensor.release()
    return bytes
  })
})

/** Dequantized weights in the checkpoint's own names and order. */
const fakeQuantEntries = (source: SourceModel, { packed, others }: DeployedModel, dtype: Config["dtype"]): Entries => {
  let largest = 0
  const note = (difference: number): void => {
    largest = Math.max(largest, difference)
  }
  const widened = (tensor: Tensor): Tensor =>
    tensor.dtype === "f32" || dtype === "bf16" ? tensor.alias() : cast(tensor, "f32")
  const sources = [...modelTensors(source.directory.config)].map(([name, shape]) => {
    const weight = packed.get(name)
    return lazily(name, shape, dtype, () => weight?.unpack() ?? widened(others[name]!), weight ? note : () => {})
  })
  return { sources, metadata: { format: "pt" }, maxAbsErr: () => largest }
}

/** Packed weights as they are, everything else in `dtype`. */
const packedEntries = ({ packed, others }: DeployedModel, dtype: Config["dtype"]): Entries => {
  const plain = Object.entries(others).map(([name, tensor]) =>
    tensor.dtype === "bf16"
      ? tensorSource(name, tensor)
      : lazily(
          name,
          tensor.shape,
          dtype,
          () => tensor.alias(),
          () => {}
        )
  )
  const { entries, metadata } = packedContainer(packed, plain)
  return { sources: entries, metadata, maxAbsErr: () => 0 }
}

/** quantization.json: what was done to which layer. */
const describe = (recipe: string, { packed }: DeployedModel, exported: Exported) => ({
  tool: "speedq",
  version: "0.1.0",
  recipe,
  ...exported,
  layers: Object.fromEntries(
    [...packed].map(([name, { choice, shape, bytes }]) => [
      name,
      { ...encodeChoice(choice), bits: choice.quantizer.bitsPerWeight(choice.config), shape, bytes }
    ])
  )
})

/** Writes a deployed model as a directory. The caller releases the model. */
export const writeModel = Effect.fn("writeModel")(function* (
  source: SourceModel,
  deployed: DeployedModel,
  { format, dtype, directory, recipe }: Config & { readonly directory: string; readonly recipe: string }
) {
  const failed = (error: unknown) =>
    new StorageFailed({
      doing: "write the exported model",
      path: directory,
      reason: "other",
      detail: error instanceof Error ? error.message : String(error)
    })
  yield* Effect.tryPromise({
    try: async () => {
      await mkdir(directory, { recursive: true })
      await copyCompanions(source.directory.directory, directory)
    },
    catch: failed
  })
  const entries = format === "packed" ? packedEntries(deployed, dtype) : fakeQuantEntries(source, deployed, dtype)
  const file = join(directory, "model.safetensors")
  const written = yield* Safetensors.write(file, entries.sources, { metadata: entries.metadata }).pipe(
    Effect.mapError(failed)
  )
  const parameters = [...modelTensors(source.directory.config).values()].reduce((sum, shape) => sum + sizeOf(shape), 0)
  const maxAbsErr = entries.maxAbsErr()
  const exported: Exported = {
    directory,
    format,
    exact: maxAbsErr === 0,
    maxAbsErr,
    bitsPerWeight: (8 * written.bytes) / parameters,
    bytes: written.bytes,
    layersFallenBack: []
  }
  yield* AtomicFile.writeWhole(
    join(directory, "quantization.json"),
    new TextEncoder().encode(`${JSON.stringify(describe(recipe, deployed, exported), null, 2)}\n`)
  ).pipe(Effect.mapError(failed))
  return exported
})

export const Export = Stage.define({
  name: "export",
  version: 1,
  config: ExportConfig,
  needs: [QuantizedVision, TrainedProjector, QuantizedLanguage],
  gives: [ExportedModel],
  fingerprint: (_, recipe) => fingerprintOf(recipe, []),
  begin: Effect.fnUntraced(function* (
    config: Config,
    input: {
      readonly quantizedVision: PackedWeights
      readonly projector: Parameters
      readonly quantizedLanguage: LanguageModel
    },
    { recipe, runDirectory }: Stage.StageContext
  ) {
    yield* Compute
    const source = yield* openSourceModel(recipe.model)
    const directory = join(runDirectory, "model", config.format)
    const work = Effect.acquireUseRelease(
      Effect.promise(() => deployModel(source, input)),
      (deployed) => writeModel(source, deployed, { ...config, directory, recipe: recipe.name }),
      ({ release }) => Effect.sync(release)
    ).pipe(
      Effect.map((exported) => ({
        output: { exported },
        files: [join(directory, "model.safetensors"), join(directory, "quantization.json")],
        report: [
          {
            _tag: "Table" as const,
            title: `Export (${config.format})`,
            columns: ["bytes", "bits / parameter", "exact", "largest difference", "layers fallen back"],
            rows: [
              [
                exported.bytes,
                exported.bitsPerWeight.toFixed(3),
                exported.exact ? "yes" : "no",
                exported.maxAbsErr,
                exported.layersFallenBack.length
              ]
            ]
          }
        ]
      }))
    )
    return Stage.once(work)
  })
})
