/** The page as it was built. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { AtomicFile, makeDirectories, mostBytes, readBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"

/** The folder of the built page; also where this runs from source. */
export const pageDirectory = fileURLToPath(new URL("../../dist/page", import.meta.url))

/** Whether the page is built, which `npm run build` does. */
export const isPageBuilt = (): boolean => existsSync(join(pageDirectory, "index.html"))

/** Copies the page into a directory; files are named from there. Fails with FileFailed. */
export const copyPage = Effect.fnUntraced(function* (directory: string) {
  const entries = readdirSync(pageDirectory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const written: AtomicFile.Written[] = []
  for (const { parentPath, name } of entries) {
    const file = join(parentPath, name).slice(pageDirectory.length + 1)
    const target = join(directory, file)
    yield* Effect.promise(() => makeDirectories(join(target, "..")))
    const bytes = yield* readBytes(join(pageDirectory, file), mostBytes.bytes)
    written.push({ ...(yield* AtomicFile.writeWhole(target, bytes)), file })
  }
  return written
})
