/** Makes a project: a directory with a recipe that type-checks and runs. */
import { basename, dirname, join, resolve } from "node:path"
import { AtomicFile } from "@speedq/formats"
import { madeDirectory, whileDoing } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { requireEmpty } from "../models/requireEmpty.ts"
import { projectFiles } from "./projectFiles.ts"

export interface CreatedProject {
  readonly directory: string
  /** Relative to it. */
  readonly files: readonly string[]
}

/** Writes the files of a new project, named after its directory. Fails with OutputExists where that is not empty, and where it cannot be written. */
export const createProject = Effect.fn("createProject")(function* (directory: string) {
  yield* requireEmpty(directory)
  const files = yield* projectFiles(basename(resolve(directory)))
  for (const [file, text] of Object.entries(files)) {
    const path = join(directory, file)
    yield* whileDoing("make the directory", dirname(path))(madeDirectory(dirname(path)))
    yield* AtomicFile.writeWhole(path, Buffer.from(text))
  }
  const created: CreatedProject = { directory, files: Object.keys(files) }
  return created
})

/** What to do next. */
export const describeProject = ({ directory, files }: CreatedProject): string =>
  [`${directory}: ${files.join(", ")}`, "", `cd ${directory}`, "npm install", "npx speedq plan recipe.ts"].join("\n")
