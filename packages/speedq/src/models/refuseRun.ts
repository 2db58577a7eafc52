/** A directory of a run in place of one of its models, which is easily given by mistake. */
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { runFileName } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { NotAModel } from "../Errors.ts"

const exportedBy = (run: string): readonly string[] => {
  const models = join(run, "model")
  if (!existsSync(models)) return []
  return readdirSync(models, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(models, name))
}

/** Fails with NotAModel where `directory` is that of a run. */
export const refuseRun = (directory: string): Effect.Effect<void, NotAModel> =>
  Effect.suspend(() =>
    existsSync(join(directory, runFileName))
      ? Effect.fail(new NotAModel({ directory, models: exportedBy(directory) }))
      : Effect.void
  )
