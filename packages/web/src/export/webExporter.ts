/** "web": a folder for any static host: the page, and beside it the packed model in parts. */
import { basename, dirname, join } from "node:path"
import { type Exporter, ExportNotWritten, packedExporter } from "@speedq/exports"
import { AtomicFile, makeDirectories, option } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { indexName, type ModelFile, type ModelIndex, modelFolder, partBytes } from "../model/ModelIndex.ts"
import { copyPage, isPageBuilt } from "./pageFiles.ts"
import { splitFile } from "./splitFile.ts"

const WebConfig = Schema.Struct({
  name: option(Schema.String, "", {
    description: "What the page calls the model; the name of the model's directory where it is empty.",
    source: "chosen here"
  })
})
type WebConfig = typeof WebConfig.Type

/** What a page reads of a model; the rest (licence, model card, code) only lies beside it. */
const isRead = (name: string): boolean => /\.(json|safetensors|model|txt)$/.test(name) && !/^LICENSE|^NOTICE/.test(name)

/** A directory called "model" or "packed" is called after the one around it. */
const nameOf = (directory: string): string =>
  ["model", "packed"].includes(basename(directory)) ? basename(dirname(directory)) : basename(directory)

const text = (value: object) => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`)

export const webExporter: Exporter<WebConfig> = {
  id: "web",
  version: 1,
  description: "a page that runs the packed model offline in any browser, for static hosts and `speedq serve`",
  Config: WebConfig,
  directoryName: () => "web",
  checkedBy: ["speedq"],
  keepsCodes: true,
  ...(packedExporter.holds === undefined ? {} : { holds: (_, layers) => packedExporter.holds!({}, layers) }),
  bytes: (_, facts) => packedExporter.bytes({}, facts),
  write: Effect.fnUntraced(
    function* ({ name }, model) {
      const { directory } = model
      if (!isPageBuilt()) {
        return yield* new ExportNotWritten({ directory, cause: "the page is not built", fix: "run npm run build" })
      }
      const folder = join(directory, modelFolder)
      yield* Effect.promise(() => makeDirectories(folder))
      const { files, ...written } = yield* packedExporter.write({}, { ...model, directory: folder })
      const all: AtomicFile.Written[] = []
      const listed: ModelFile[] = []
      for (const whole of files) {
        const parts = yield* splitFile({ ...whole, file: join(folder, whole.file) }, partBytes)
        const named = parts.map((part) => ({ ...part, file: basename(part.file) }))
        all.push(...named)
        const [first, ...more] = named
        if (first !== undefined && isRead(whole.file)) listed.push({ name: whole.file, parts: [first, ...more] })
      }
      const [first, ...more] = listed
      const called = name === "" ? nameOf(model.source.directory.directory) : name
      const index: ModelIndex = { version: 1, name: called, files: [first!, ...more] }
      all.push({ ...(yield* AtomicFile.writeWhole(join(folder, indexName), text(index))), file: indexName })
      const page = yield* copyPage(directory)
      return { ...written, files: [...page, ...all.map((each) => ({ ...each, file: join(modelFolder, each.file) }))] }
    },
    (self, _, { directory }) =>
      Effect.mapError(self, (cause) =>
        cause instanceof ExportNotWritten ? cause : new ExportNotWritten({ directory, cause })
      )
  )
}
