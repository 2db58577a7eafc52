/** What a run no longer uses: found by what its manifests say, removed without touching anything else. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert } from "vitest"
import { removeSuperfluous, superfluousIn } from "../src/directory/superfluous.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { recipeOf, runHere } from "./support/toyRun.ts"

const recipe = (rate: number, name: string) =>
  recipeOf([
    { use: "toy-vit", steps: 2 },
    { use: "toy-projector", steps: 2, rate },
    { use: "toy-export", name }
  ])

describe("what a run no longer uses", () => {
  it.live("is found and removed; what is in use or somebody else's stays", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      for (const changed of [recipe(0.1, "before"), recipe(0.2, "now")]) {
        assert.isTrue(Exit.isSuccess((yield* runHere(directory, changed)).exit))
      }
      assert.deepStrictEqual(yield* superfluousIn(directory).pipe(Effect.map(({ foreign }) => foreign)), [])
      const at = (...names: ReadonlyArray<string>) => join(directory, ...names)
      const write = (file: string) => writeFileSync(file, "12345")
      write(at(".run.json.tmp"))
      write(at("stages", "01-toy-vit", "step-00000001.safetensors"))
      mkdirSync(at("superseded", "01-toy-vit-damaged"))
      write(at("superseded", "01-toy-vit-damaged", "vit.safetensors"))
      mkdirSync(at("superseded", "mine"))
      write(at("superseded", "mine", "notes.txt"))
      mkdirSync(at("superseded", "01-toy-vit-damaged-2"))
      write(at("superseded", "01-toy-vit-damaged-2", "notes.txt"))
      write(at("model", "mine.bin"))

      const { superfluous, foreign } = yield* superfluousIn(directory)
      const found = superfluous.map(({ what, path }) => [what, path.replace(/-[0-9a-f]{8}$/, "-KEY")])
      assert.deepStrictEqual(found, [
        ["left half written", ".run.json.tmp"],
        ["old state", join("stages", "01-toy-vit", "step-00000001.safetensors")],
        ["damaged files", join("superseded", "01-toy-vit-damaged")],
        ["superseded result", join("superseded", "02-toy-projector-KEY")],
        ["superseded result", join("superseded", "03-toy-export-KEY")],
        ["file of a superseded result", join("model", "before.bin")]
      ])
      assert.strictEqual(superfluous[2]?.bytes, 5)
      assert.isAbove(superfluous[3]?.bytes ?? 0, 4000)
      assert.deepStrictEqual(foreign, [join("superseded", "01-toy-vit-damaged-2"), join("superseded", "mine")])

      const kept = readFileSync(at("model", "now.bin"))
      yield* removeSuperfluous(directory, superfluous)
      assert.deepStrictEqual(readdirSync(at("superseded")).sort(), ["01-toy-vit-damaged-2", "mine"])
      assert.deepStrictEqual(readdirSync(at("model")).sort(), ["mine.bin", "now.bin"])
      assert.isTrue(readFileSync(at("model", "now.bin")).equals(kept))
      assert.isFalse(existsSync(at(".run.json.tmp")))
      const { printed } = yield* runHere(directory, recipe(0.2, "now"))
      assert.strictEqual(printed.match(/finished before, reused/g)?.length, 3, printed)
    }).pipe(Effect.provide(NodeServices.layer))
  )

  it.live("does not include a file that was written anew since", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      yield* runHere(directory, recipe(0.1, "before"))
      yield* runHere(directory, recipe(0.1, "now"))
      writeFileSync(join(directory, "model", "before.bin"), "mine now")
      const { superfluous } = yield* superfluousIn(directory)
      assert.deepStrictEqual(
        superfluous.map(({ what }) => what),
        ["superseded result"]
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )
})
