/** What the end of a stage records of the files that it wrote. */
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { assert } from "vitest"
import { openStageFiles } from "../src/checkpoints/StageFiles.ts"
import { makeKey } from "../src/checkpoints/StageKey.ts"
import { manifestFormat, manifestName, readManifest, writeManifest } from "../src/checkpoints/StageManifest.ts"
import { RunDirectory } from "../src/directory/RunDirectory.ts"
import { SavedFileDamaged } from "../src/Errors.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"

/** The directory of a stage that has nothing yet. */
const begunStage = Effect.fnUntraced(function* (directory: string) {
  const stage = join(directory, "stages", "01-mine")
  mkdirSync(stage, { recursive: true })
  const { id, parts } = makeKey({ stage: "s", version: 1, config: {}, versions: {}, seed: 1, inputs: {}, data: "" })
  const rest = { builds: [], steps: 0, checkpoints: [], finished: null }
  yield* writeManifest(stage, { format: manifestFormat, key: id, parts, ...rest })
  const open = Effect.flatMap(readManifest(stage), (found) => openStageFiles(stage, Option.getOrThrow(found).manifest))
  return { stage, open }
})

it.live("a state that is saved anew after as many steps leaves the old one as it was until the manifest names it", () =>
  Effect.gen(function* () {
    const directory = temporaryDirectory()
    const { stage, open } = yield* begunStage(directory)
    const save = (data: string) =>
      Effect.flatMap(open, (files) => files.save<never, never>(3, 4, { data, tensors: [] }))
    yield* save("old")
    const files = yield* open
    const seen: unknown[] = []
    const resume = (stage: typeof files, standing: number) =>
      stage.resume(({ data }) =>
        Effect.as(
          Effect.sync(() => seen.push(data)),
          standing
        )
      )
    // Of its three steps two stand.
    yield* resume(files, 2)
    const [manifest, aside] = [join(stage, manifestName), join(stage, "aside")]
    renameSync(manifest, aside)
    mkdirSync(join(manifest, "in the way"), { recursive: true })
    yield* Effect.flip(files.save<never, never>(3, 4, { data: "new", tensors: [] }))
    rmSync(manifest, { recursive: true })
    renameSync(aside, manifest)
    const after = yield* open
    assert.deepStrictEqual(yield* resume(after, 2), Option.some(2))
    yield* after.save<never, never>(3, 4, { data: "new", tensors: [] })
    assert.deepStrictEqual(yield* resume(yield* open, 3), Option.some(3))
    assert.deepStrictEqual(seen, ["old", "old", "new"])
  }).pipe(Effect.scoped, Effect.provide(RunDirectory.layer(temporaryDirectory())), Effect.provide(NodeServices.layer))
)

it.live("a by-product is made anew where its directory is gone, too", () =>
  Effect.gen(function* () {
    const { stage, open } = yield* begunStage(temporaryDirectory())
    const below = join(stage, "below")
    mkdirSync(below)
    writeFileSync(join(below, "table.csv"), "1,2")
    const files = yield* open
    yield* files.finish<never, never>(3, [], [join(below, "table.csv")])
    rmSync(below, { recursive: true })
    assert.isTrue(Option.isSome(yield* (yield* open).finished))
    assert.strictEqual(readFileSync(join(below, "table.csv"), "utf8"), "1,2")
  }).pipe(Effect.provide(RunDirectory.layer(temporaryDirectory())), Effect.provide(NodeServices.layer))
)

it.live(
  "a digest that a writer computed is recorded as it is, and must be that of the file when all is read back",
  () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      const finishWith = (sha256: string) =>
        Effect.gen(function* () {
          const { stage, open } = yield* begunStage(directory)
          const [told, untold] = [join(directory, "told.bin"), join(stage, "untold.bin")]
          for (const file of [told, untold]) writeFileSync(file, "abc")
          const { finish } = yield* open
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
