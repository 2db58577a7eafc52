/** What is saved is checked when it is read: damage falls back with a warning, a changed recipe never reuses, and nothing is lost. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert } from "vitest"
import { NotARunDirectory, StageFailed, StorageFailed } from "../src/Errors.ts"
import { resultsOf, savedSteps } from "./support/results.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { type Refusal, recipeOf, runHere } from "./support/toyRun.ts"
import { ToyFailed } from "./toy/stages.ts"

const vit = { use: "toy-vit", steps: 9, floats: 400 }
const projector = { use: "toy-projector", steps: 9, floats: 400 }
const exporting = { use: "toy-export" }
const recipe = recipeOf([vit, projector, exporting])

const flipByte = (file: string) => {
  const bytes = readFileSync(file)
  bytes[bytes.length >> 1] = bytes[bytes.length >> 1]! ^ 1
  writeFileSync(file, bytes)
}
const reportOf = (directory: string) => readFileSync(join(directory, "report.html"), "utf8")
const errorOf = (exit: Exit.Exit<unknown, unknown>) => (Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined)

/** A run of `recipe` that nothing disturbed. */
const undisturbed = Effect.gen(function* () {
  const directory = join(temporaryDirectory(), "whole")
  const { exit } = yield* runHere(directory, recipe)
  assert.isTrue(Exit.isSuccess(exit))
  return resultsOf(directory)
})

/** A run that failed in its second stage at step 7, with the states of steps 4 and 6 saved. */
const broken = Effect.gen(function* () {
  const directory = join(temporaryDirectory(), "run")
  const { exit } = yield* runHere(directory, recipe, { failAt: { label: "toy-projector", step: 7 } })
  const error = errorOf(exit)
  assert.instanceOf(error, StageFailed)
  assert.instanceOf(error.cause, ToyFailed)
  assert.strictEqual(
    error.message,
    "stage 02-toy-projector stopped at step 6 of 9: the toy was told to fail at step 7. Step 6 is saved: the same command continues after it."
  )
  assert.deepStrictEqual(savedSteps(directory), { "02-toy-projector": 6 })
  return { directory, stage: join(directory, "stages", "02-toy-projector") }
})

describe("damage", () => {
  it.live("a flipped byte in the newest state: the one before it is taken", () =>
    Effect.gen(function* () {
      const { directory, stage } = yield* broken
      flipByte(join(stage, "step-00000006.safetensors"))
      const { exit, printed } = yield* runHere(directory, recipe)
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.match(printed, /warning: 02-toy-projector: .*step-00000006.safetensors is damaged \(its SHA-256 is/)
      assert.include(
        printed,
        "; continuing from step 4; the damaged file is kept at superseded/02-toy-projector-damaged/"
      )
      const aside = readdirSync(join(directory, "superseded", "02-toy-projector-damaged"))
      assert.deepStrictEqual(aside, ["step-00000006.safetensors"])
      assert.include(printed, "02-toy-projector: continuing after step 4 of 9")
      assert.match(reportOf(directory), /step-00000006.safetensors is damaged/)
      assert.deepStrictEqual(resultsOf(directory), yield* undisturbed)
    })
  )

  it.live("both states damaged, one of them cut: the stage starts again", () =>
    Effect.gen(function* () {
      const { directory, stage } = yield* broken
      flipByte(join(stage, "step-00000004.safetensors"))
      const newest = join(stage, "step-00000006.safetensors")
      writeFileSync(newest, readFileSync(newest).subarray(0, 1000))
      const { exit, printed } = yield* runHere(directory, recipe)
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.match(printed, /damaged \(it has 1000 bytes, \d+ were written\); continuing from step 4/)
      assert.include(
        printed,
        "; the stage starts again; the damaged file is kept at superseded/02-toy-projector-damaged-2/"
      )
      assert.include(printed, "02-toy-projector: 9 steps")
      assert.deepStrictEqual(resultsOf(directory), yield* undisturbed)
    })
  )

  it.live("a flipped byte in the manifest: its copy is used and nothing is repeated", () =>
    Effect.gen(function* () {
      const { directory, stage } = yield* broken
      flipByte(join(stage, "manifest.json"))
      const { exit, printed } = yield* runHere(directory, recipe)
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.include(printed, "its copy is used")
      assert.include(printed, "02-toy-projector: continuing after step 6 of 9")
      assert.deepStrictEqual(resultsOf(directory), yield* undisturbed)
    })
  )

  it.live("a manifest that was killed before its copy: the copy is made, nothing is repeated", () =>
    Effect.gen(function* () {
      const { directory, stage } = yield* broken
      const manifest = readFileSync(join(stage, "manifest.json"))
      // What was true before the newest save.
      const { sha256: _, ...older } = JSON.parse(
        readFileSync(join(directory, "stages/01-toy-vit/manifest.json"), "utf8")
      )
      writeFileSync(join(stage, "manifest.copy.json"), JSON.stringify(older))
      rmSync(join(directory, "stages/01-toy-vit/manifest.copy.json"))
      const { printed } = yield* runHere(directory, recipe, { failAt: { label: "toy-projector", step: 7 } })
      assert.include(printed, "02-toy-projector: continuing after step 6 of 9")
      assert.deepStrictEqual(readFileSync(join(stage, "manifest.copy.json")), manifest)
      assert.isTrue(existsSync(join(directory, "stages/01-toy-vit/manifest.copy.json")))
    })
  )

  it.live("a manifest and its copy damaged: the stage runs again, the old files are kept aside", () =>
    Effect.gen(function* () {
      const { directory, stage } = yield* broken
      for (const name of ["manifest.json", "manifest.copy.json"]) flipByte(join(stage, name))
      const { exit, printed } = yield* runHere(directory, recipe)
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.include(printed, "superseded/02-toy-projector-unreadable")
      assert.include(
        readdirSync(join(directory, "superseded", "02-toy-projector-unreadable")),
        "step-00000006.safetensors"
      )
      assert.deepStrictEqual(resultsOf(directory), yield* undisturbed)
    })
  )

  it.live("a damaged result of a finished stage, and a vanished file of another: both run again", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      yield* runHere(directory, recipe)
      const whole = resultsOf(directory)
      flipByte(join(directory, "stages", "01-toy-vit", "vit.safetensors"))
      rmSync(join(directory, "model", "weights.bin"))
      const { exit, printed } = yield* runHere(directory, recipe)
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.match(printed, /01-toy-vit: .*vit.safetensors is damaged .*; the stage runs again/)
      assert.include(printed, "02-toy-projector: finished before, reused")
      assert.match(printed, /03-toy-export: model\/weights.bin is damaged .*; the stage runs again/)
      assert.deepStrictEqual(resultsOf(directory), whole)
    })
  )

  it.live("a damaged or vanished by-product of a stage with steps is made anew without a step", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      yield* runHere(directory, recipe)
      const whole = resultsOf(directory)
      flipByte(join(directory, "stages", "01-toy-vit", "report.json"))
      rmSync(join(directory, "stages", "02-toy-projector", "report.json"))
      const { exit, printed } = yield* runHere(directory, recipe)
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.match(printed, /01-toy-vit: .*report.json is damaged \(its SHA-256 .*; it is made anew from its copy/)
      assert.match(printed, /02-toy-projector: .*report.json is damaged \(it is not there\)/)
      assert.strictEqual([...printed.matchAll(/finished before, reused/g)].length, 3)
      assert.deepStrictEqual(resultsOf(directory), whole)

      // The copies themselves, and then both.
      flipByte(join(directory, "stages", "01-toy-vit", "by-products.safetensors"))
      const second = yield* runHere(directory, recipe)
      assert.match(second.printed, /01-toy-vit: .*by-products.safetensors is damaged .*; it is made anew/)
      assert.deepStrictEqual(resultsOf(directory), whole)
      for (const name of ["by-products.safetensors", "report.json"])
        flipByte(join(directory, "stages", "01-toy-vit", name))
      const third = yield* runHere(directory, recipe)
      assert.isTrue(Exit.isSuccess(third.exit), third.printed)
      assert.include(third.printed, "report.json cannot be made anew; the stage's results are whole and are used")
      assert.strictEqual([...third.printed.matchAll(/finished before, reused/g)].length, 3)
    })
  )

  it.live("what a killed process left half written is removed", () =>
    Effect.gen(function* () {
      const { directory, stage } = yield* broken
      writeFileSync(join(stage, ".step-00000008.safetensors.1-0-0.tmp"), "half")
      writeFileSync(join(stage, "step-00000008.safetensors"), "written, but not named by the manifest")
      writeFileSync(join(directory, ".run.json.1-0-0.tmp"), "half")
      const { exit } = yield* runHere(directory, recipe)
      assert.isTrue(Exit.isSuccess(exit))
      assert.deepStrictEqual(resultsOf(directory), yield* undisturbed)
      assert.isEmpty(readdirSync(directory).filter((name) => name.startsWith(".")))
    })
  )
})

describe("an error that says nothing about the file", () => {
  const places = [
    { what: "a state", file: /step-00000006\.safetensors$/, operations: ["open"] },
    { what: "a manifest", file: /02-toy-projector\/manifest\.json$/, operations: ["readFileString"] },
    { what: "an artefact", file: /01-toy-vit\/vit\.safetensors$/, operations: ["open"] }
  ] as const
  for (const { what, file, operations } of places)
    for (const code of ["EACCES", "EIO", "EMFILE"])
      it.live(`${code} at ${what} stops the run and changes nothing; without it, the run goes on`, () =>
        Effect.gen(function* () {
          const { directory } = yield* broken
          const before = resultsOf(directory)
          const { exit } = yield* runHere(directory, recipe, { refusal: { operations, file, code } })
          const error = errorOf(exit)
          const cause = error instanceof StageFailed ? error.cause : error
          assert.instanceOf(cause, StorageFailed)
          assert.match(cause.message, /^could not read what was saved \(.*(not permitted|refused|too many files)/)
          assert.deepStrictEqual(resultsOf(directory), before)
          assert.isFalse(existsSync(join(directory, "superseded")))
          const { printed } = yield* runHere(directory, recipe)
          assert.include(printed, "02-toy-projector: continuing after step 6 of 9")
          assert.deepStrictEqual(resultsOf(directory), yield* undisturbed)
        })
      )

  it.live("an old state that cannot be removed costs no work, and is removed the next time", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const refusal: Refusal = { operations: ["remove"], file: /02-toy-projector\/step-/, code: "EACCES" }
      const { exit, printed } = yield* runHere(directory, recipe, { refusal })
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.match(printed, /warning: 02-toy-projector: could not remove old states/)
      assert.include(readdirSync(join(directory, "stages", "02-toy-projector")), "step-00000002.safetensors")
      yield* runHere(directory, recipe)
      assert.deepStrictEqual(resultsOf(directory), yield* undisturbed)
    })
  )
})

describe("a changed recipe", () => {
  it.live("runs what changed and what follows it, says which field, keeps the old result, and takes it back", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      yield* runHere(directory, recipe)
      const before = resultsOf(directory)
      const changed = recipeOf([vit, { ...projector, rate: 0.05 }, exporting])
      const second = yield* runHere(directory, changed)
      assert.isTrue(Exit.isSuccess(second.exit), second.printed)
      assert.include(
        second.printed,
        "warning: the recipe changed since the last run here: 02-toy-projector.rate: 0.1 -> 0.05"
      )
      assert.include(second.printed, "01-toy-vit: finished before, reused")
      assert.match(
        second.printed,
        /warning: 02-toy-projector: runs again \(config.rate: 0.1 -> 0.05\); the old result is in superseded\/02-toy-projector-[0-9a-f]{8}/
      )
      assert.match(second.printed, /03-toy-export: runs again \(inputs.projector: [0-9a-f]{8} -> [0-9a-f]{8}\)/)
      const after = resultsOf(directory)
      const same = (name: string) => assert.strictEqual(after[name], before[name])
      same("stages/01-toy-vit/vit.safetensors")
      assert.notStrictEqual(
        after["stages/02-toy-projector/projector.safetensors"],
        before["stages/02-toy-projector/projector.safetensors"]
      )

      const third = yield* runHere(directory, recipe)
      assert.include(third.printed, "02-toy-projector: finished before, reused")
      assert.deepStrictEqual(resultsOf(directory), before)
    })
  )

  it.live("a begun stage is not continued with another configuration", () =>
    Effect.gen(function* () {
      const { directory } = yield* broken
      const { exit, printed } = yield* runHere(directory, recipeOf([vit, { ...projector, steps: 10 }, exporting]))
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.match(printed, /runs again \(config.steps: 9 -> 10\)/)
      assert.include(printed, "02-toy-projector: 10 steps")
    })
  )

  it.live("another seed runs everything again; a stage put in between moves the results that still fit", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      yield* runHere(directory, recipe)
      const seeded = yield* runHere(directory, recipeOf([vit, projector, exporting], { seed: 8 }))
      assert.strictEqual([...seeded.printed.matchAll(/runs again/g)].length, 3)
      const inserted = yield* runHere(directory, recipeOf([vit, projector, { ...exporting, name: "a" }, exporting]))
      assert.match(inserted.printed, /01-toy-vit: finished before, reused/)
      assert.match(inserted.printed, /02-toy-projector: finished before, reused/)
      assert.match(inserted.printed, /04-toy-export-2: finished in/)
    })
  )

  it.live("--fresh begins anew", () =>
    Effect.gen(function* () {
      const { directory } = yield* broken
      const { printed } = yield* runHere(directory, recipe, { fresh: true })
      assert.include(printed, "starting toy")
      assert.include(printed, "01-toy-vit: 9 steps")
      assert.deepStrictEqual(resultsOf(directory), yield* undisturbed)
    })
  )
})

describe("steps", () => {
  it.live("a loss that is not a number stops the stage and says where", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const { exit } = yield* runHere(directory, recipeOf([{ ...vit, nanAt: 3 }]))
      const error = errorOf(exit)
      assert.instanceOf(error, StageFailed)
      assert.match(error.message, /^stage 01-toy-vit stopped at step 2 of 9: loss is NaN after step 3; lower/)
    })
  )

  it.live("continued from every step, the result is the same", () =>
    Effect.gen(function* () {
      const whole = yield* undisturbed
      for (let step = 1; step <= 9; step++) {
        const directory = join(temporaryDirectory(), "run")
        yield* runHere(directory, recipe, { failAt: { label: "toy-projector", step } })
        yield* runHere(directory, recipe)
        assert.deepStrictEqual(resultsOf(directory), whole)
      }
    })
  )

  it.live("a directory with other things in it is refused", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      mkdirSync(join(directory, "photos"))
      const { exit } = yield* runHere(directory, recipe)
      const error = errorOf(exit)
      assert.instanceOf(error, NotARunDirectory)
      assert.include(error.message, "is not empty and holds no run (it has photos)")
      assert.deepStrictEqual(readdirSync(directory), ["photos"])
    })
  )

  it.live("--fresh removes what manifests of the run name, and nothing else", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      yield* runHere(directory, recipe)
      const whole = resultsOf(directory)
      writeFileSync(join(directory, "model", "NOTES.txt"), "mine")
      const { exit, printed } = yield* runHere(directory, recipe, { fresh: true })
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.match(printed, /warning: model in .* stays: no stage of the earlier run says that it wrote it/)
      assert.strictEqual(readFileSync(join(directory, "model", "NOTES.txt"), "utf8"), "mine")
      rmSync(join(directory, "model", "NOTES.txt"))
      assert.deepStrictEqual(resultsOf(directory), whole)
    })
  )

  it.live("--fresh refuses a directory of another program, whatever its files are called", () =>
    Effect.gen(function* () {
      for (const names of [["model"], ["model", "run.json"], ["stages"]]) {
        const directory = temporaryDirectory()
        for (const name of names) {
          if (name.includes(".")) writeFileSync(join(directory, name), '{"epochs": 3}')
          else mkdirSync(join(directory, name))
        }
        writeFileSync(join(directory, names[0]!, "weights.bin"), "mine")
        const { exit } = yield* runHere(directory, recipe, { fresh: true })
        const error = errorOf(exit)
        assert.instanceOf(error, NotARunDirectory, names.join())
        assert.strictEqual(readFileSync(join(directory, names[0]!, "weights.bin"), "utf8"), "mine")
        assert.deepStrictEqual(readdirSync(directory).sort(), names)
      }
    })
  )
})
