/** What the end of a stage records of the files that it wrote. */
import { createHash } from "node:crypto"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { openStageFiles } from "../src/checkpoints/StageFiles.ts"
import { makeKey } from "../src/checkpoints/StageKey.ts"
import { manifestFormat, writeManifest } from "../src/checkpoints/StageManifest.ts"
import { RunDirectory } from "../src/directory/RunDirectory.ts"
import { SavedFileDamaged } from "../src/Errors.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"

it.live(
  "a digest that a writer computed is recorded as it is, and must be that of the file when all is read back",
  () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      const finishWith = (sha256: string) =>
        Effect.gen(function* () {
          const stage = join(directory, "stages", "01-mine")
          mkdirSync(stage, { recursive: true })
          const [told, untold] = [join(directory, "told.bin"), join(stage, "untold.bin")]
          for (const file of [told, untold]) writeFileSync(file, "abc")
          const { id, parts } = makeKey({
            stage: "s",
            version: 1,
            config: {},
            versions: {},
            seed: 1,
            inputs: {},
            data: ""
          })
          const rest = { builds: [], steps: 0, checkpoints: [], finished: null }
          const manifest = { format: manifestFormat, key: id, parts, ...rest } as const
          yield* writeManifest(stage, manifest)
          const { finish } = yield* openStageFiles(stage, manifest)
          return yield* finish<never, never>(0, [], [{ file: told, bytes: 3, sha256 }, untold])
        }).pipe(Effect.provide(RunDirectory.layer(directory)))
      const whole = createHash("sha256").update("abc").digest("hex")
      const { files } = yield* finishWith(whole)
      assert.deepStrictEqual(files, [
        { file: join("..", "..", "told.bin"), bytes: 3, sha256: whole },
        { file: "untold.bin", bytes: 3, sha256: whole }
      ])
      const error = yield* Effect.flip(finishWith("0".repeat(64)))
      assert.instanceOf(error, SavedFileDamaged)
      assert.include(error.message, "told.bin")
    }).pipe(Effect.provide(NodeServices.layer))
)
