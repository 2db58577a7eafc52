/** The model that a directory means: itself, or what a run exported. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { runFileName } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { NotAModel } from "../Errors.ts"

/** Exports that were written whole; a half-written one has no config yet. */
const exportedBy = (run: string): readonly string[] => {
  const models = join(run, "model")
  if (!existsSync(models)) return []
  return readdirSync(models, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(models, entry.name, "config.json")))
    .map(({ name }) => join(models, name))
}

/** The directory itself, or of a run its packed export, or else its only one. Fails with NotAModel where a run has none, or several others. */
export const modelOf = (directory: string): Effect.Effect<string, NotAModel> =>
  Effect.suspend(() => {
    if (!existsSync(join(directory, runFileName))) return Effect.succeed(directory)
    const models = exportedBy(directory)
    const packed = models.find((model) => model === join(directory, "model", "packed"))
    const [first] = models
    const meant = packed ?? (models.length === 1 ? first : undefined)
    return meant === undefined ? Effect.fail(new NotAModel({ directory, models })) : Effect.succeed(meant)
  })
