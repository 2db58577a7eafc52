/** A folder that the web export wrote, as it is served and read in Node. */
import { existsSync, readdirSync } from "node:fs"
import { copyFile } from "node:fs/promises"
import { join } from "node:path"
import { AtomicFile, attemptOn, mostBytes, readBytes, readText } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { indexName, ModelIndex, modelFolder } from "../model/ModelIndex.ts"

const indexOf = (directory: string): string => join(directory, modelFolder, indexName)

/** Whether a directory is a page with a model. */
export const isWebFolder = (directory: string): boolean =>
  existsSync(join(directory, "index.html")) && existsSync(indexOf(directory))

/** Paths of all files of the folder by what their addresses end with; the page itself is "". */
export const webFiles = (directory: string): ReadonlyMap<string, string> => {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const files = entries.map(({ parentPath, name }) => {
    const path = join(parentPath, name)
    return [path.slice(join(directory, "/").length).replaceAll("\\", "/"), path] as const
  })
  return new Map([...files, ["", join(directory, "index.html")]])
}

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(ModelIndex))

/** Writes the packed model of the folder into an empty directory, its parts put together. Fails with FileFailed, SchemaError. */
export const joinModel = Effect.fnUntraced(function* (directory: string, target: string) {
  const { files } = yield* decode(yield* readText(indexOf(directory)))
  const model = join(directory, modelFolder)
  for (const { name, parts } of files) {
    const to = join(target, name)
    if (parts.length === 1) {
      yield* attemptOn(to)("copy", () => copyFile(join(model, parts[0].file), to))
      continue
    }
    yield* Effect.scoped(
      Effect.gen(function* () {
        const whole = yield* AtomicFile.make(to)
        for (const { file } of parts) yield* whole.append(yield* readBytes(join(model, file), mostBytes.bytes))
        yield* whole.seal
        yield* whole.publish
      })
    )
  }
})
