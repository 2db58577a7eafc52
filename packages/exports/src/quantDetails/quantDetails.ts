/**
 * "quant-details": the layout of the reference's save_fake_quant (docs/method.md, "The reference's files"), as safetensors files
 * with the reference's names of directories, files and entries. Beside it config and tokenizer, so that it opens as a model.
 */
import { dirname, join } from "node:path"
import { makeDirectories, parameterOf, Safetensors } from "@speedq/formats"
import type { BilevelConfig } from "@speedq/quantizers"
import { noGrad, type Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ExportNotWritten } from "../Errors.ts"
import { copyCompanions } from "../exporter/companions.ts"
import { larger } from "../exporter/Difference.ts"
import type { Exporter, ModelToExport } from "../exporter/Exporter.ts"
import { codes, type Holding, numbers, type QuantizedLayer } from "../exporter/Holding.ts"
import { dataBytes, writeTensors } from "../exporter/writeTensors.ts"
import { packedEntries } from "../packed/packedEntries.ts"
import { detailEntries } from "./detailEntries.ts"
import { detailPaths, hasDetailPath } from "./detailPaths.ts"

const QuantDetailsConfig = Schema.Struct({})
type QuantDetailsConfig = typeof QuantDetailsConfig.Type

const folder = "quant_details"
const ending = ".safetensors"
const othersName = join(folder, `not_quantized_weights${ending}`)

/** Writes the parameters that no file of codes holds. Weights on grids that the layout does not have are written dequantized. */
const writeOthers = (model: ModelToExport, held: ReadonlyMap<string, string>) => {
  const { packed, others, fixed = new Set() } = model.deployed
  const unheld = [...packed].filter(([layer]) => !held.has(layer))
  const names = unheld.map(([layer]) => parameterOf(layer))
  return Effect.acquireUseRelease(
    Effect.sync(() => unheld.map(([layer, weight]) => [parameterOf(layer), noGrad(() => weight.unpack())] as const)),
    (unpacked) => {
      const deployed = {
        ...model.deployed,
        packed: new Map(),
        others: { ...others, ...Object.fromEntries<Tensor>(unpacked) },
        fixed: new Set([...fixed, ...names])
      }
      const entriesOf = (parts: Parameters<typeof packedEntries>[0]) => ({
        ...packedEntries(parts, deployed.rest),
        metadata: {}
      })
      return writeTensors({ ...model, deployed }, entriesOf, othersName)
    },
    (unpacked) => Effect.sync(() => unpacked.map(([, tensor]) => tensor.release()))
  )
}

const holdingOf = (layer: QuantizedLayer): Holding => {
  if (!hasDetailPath(layer)) return numbers("f32")
  const { secondLevel } = layer.choice.config as Partial<BilevelConfig>
  // The second level has a zero point there: origin / step, which f32 rounds.
  return codes(secondLevel === "f16" ? 2 ** -22 : 0)
}

export const quantDetailsExporter: Exporter<QuantDetailsConfig> = {
  id: "quant-details",
  version: 1,
  description: "the reference's quant_details in safetensors files; bilevel weights keep their codes",
  Config: QuantDetailsConfig,
  checkedBy: ["speedq"],
  directoryName: () => "quant-details",
  holds: (_, layers) => layers.map(holdingOf),
  // A byte for the code of a Linear's weight, two for one of the embedding, and their scales.
  bytes: (_, { parameters, checkpointBytes }) => Math.max(checkpointBytes, Math.ceil(2.25 * parameters)),
  write: Effect.fnUntraced(function* (_, model) {
    const { directory, deployed, source } = model
    const failed = (cause: unknown) => new ExportNotWritten({ directory, cause })
    const companions = yield* copyCompanions(source.directory.directory, directory)
    const held = detailPaths(deployed.packed, source.directory.config)
    yield* Effect.tryPromise({ try: () => makeDirectories(join(directory, folder)), catch: failed })
    const others = yield* writeOthers(model, held)
    let { bytes, difference } = others
    const files = [others.file]
    for (const [layer, path] of held) {
      const file = join(folder, path + ending)
      const weight = deployed.packed.get(layer)!
      const {
        entries,
        metadata,
        difference: changed
      } = yield* Effect.tryPromise({
        try: async () => {
          await makeDirectories(dirname(join(directory, file)))
          return detailEntries(layer, weight)
        },
        catch: failed
      })
      const written = yield* Effect.mapError(Safetensors.write(join(directory, file), entries, { metadata }), failed)
      files.push({ ...written, file })
      bytes += dataBytes(entries)
      difference = larger(difference, changed)
    }
    const layersFallenBack = [...deployed.packed.keys()].filter((layer) => !held.has(layer))
    return { files: [...files, ...companions], bytes, ...difference, layersFallenBack }
  })
}
