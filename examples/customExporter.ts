/**
 * A custom export format: "npy" writes every tensor of the quantized model as a file of NumPy, and manifest.json, which says
 * what each of them is: codes are a little-endian stream of bits.
 *
 *   node --import tsx -C @speedq/source examples/customExporter.ts [MODEL] [RUN]
 *   speedq export RUN --format npy --plugin examples/customExporter.ts
 */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { type Exporter, ExportNotWritten } from "@speedq/exports"
import { AtomicFile, bytesOf } from "@speedq/formats"
import { cast, noGrad } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { bilevel, definePlugin, Export, Qat, Recipe, Run, rule, shippedFile } from "speedq"

const dtypes: { readonly [dtype: string]: string } = { U8: "|u1", F16: "<f2", F32: "<f4" }

/** A file of NumPy, format 1.0: the data begins at a multiple of 64 bytes. */
const npy = (dtype: string, shape: readonly number[], data: Uint8Array): Buffer => {
  const sizes = `${shape.join(", ")}${shape.length === 1 ? "," : ""}`
  const fields = `{'descr': '${dtypes[dtype]}', 'fortran_order': False, 'shape': (${sizes}), }`
  const header = `${fields.padEnd(Math.ceil((fields.length + 11) / 64) * 64 - 11)}\n`
  const length = Buffer.alloc(2)
  length.writeUInt16LE(header.length)
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\x00", "latin1"), length, Buffer.from(header), data])
}

const npyExporter: Exporter<Readonly<Record<string, never>>> = {
  id: "npy",
  version: 1,
  description: "a NumPy file for every tensor, and a manifest of their meaning",
  Config: Schema.Record(Schema.String, Schema.Never),
  checkedBy: [],
  directoryName: () => "npy",
  bytes: (_, { parameters }) => 4 * parameters,
  write: Effect.fnUntraced(function* (_, { deployed, directory }) {
    const files: AtomicFile.Written[] = []
    const manifest: { [tensor: string]: object } = {}
    let bytes = 0
    const write = (name: string, content: Uint8Array | string) =>
      AtomicFile.writeWhole(join(directory, name), Buffer.from(content)).pipe(
        Effect.mapError((cause) => new ExportNotWritten({ directory, cause })),
        Effect.map((written) => files.push({ ...written, file: name }))
      )
    const add = Effect.fnUntraced(function* (name: string, dtype: string, shape: readonly number[], data: Uint8Array) {
      bytes += data.length
      manifest[name] = { file: `${name}.npy`, dtype, shape }
      yield* write(`${name}.npy`, npy(dtype, shape, data))
    })
    for (const [layer, weight] of deployed.packed) {
      for (const { name, dtype, shape, data } of weight.entries(layer)) {
        yield* add(name, dtype, shape, (yield* data) as Uint8Array)
        const { id } = weight.choice.quantizer
        Object.assign(manifest[name]!, { quantizer: id, options: weight.choice.config, weight: weight.shape })
      }
    }
    for (const [name, tensor] of Object.entries(deployed.others)) {
      const numbers = yield* Effect.promise(() => noGrad(() => cast(tensor, "f32")).read())
      yield* add(name, "F32", tensor.shape, bytesOf(numbers))
    }
    yield* write("manifest.json", `${JSON.stringify(manifest, null, 2)}\n`)
    return { files, bytes, maxAbsErr: 0, relErr: 0, layersFallenBack: [] }
  })
}

export const plugin = definePlugin({ name: "customExporter.ts", exporters: [npyExporter] })

const main = (model = shippedFile("data/nano/model"), directory = "runs/custom-exporter") => {
  const quantizers = [rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))]
  const data = { meta: shippedFile("data/nano/datasets.json"), percent: 1 }
  const recipe = Recipe.make({ name: "npy", model, seed: 7 }).pipe(
    Recipe.andThen(Qat.stage({ data, quantizers, batch: 2, accumulation: 2, maxSteps: 2 })),
    Recipe.andThen(Export.stage({ format: "npy" }))
  )
  Run.main(Run.start(recipe, { directory, extensions: plugin }))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(...process.argv.slice(2))
