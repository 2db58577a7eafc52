/** A run's directory from somebody else, with links: nothing behind them is read, written or removed. */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import { afterAll, assert, beforeAll } from "vitest"
import { makeKey } from "../src/checkpoints/StageKey.ts"
import { readManifest, writeManifest } from "../src/checkpoints/StageManifest.ts"
import { clearStages } from "../src/directory/clearRun.ts"
import { readRunRecord } from "../src/directory/RunDirectory.ts"
import { StorageFailed } from "../src/Errors.ts"
import { status } from "../src/overview/status.ts"
import { writeReport } from "../src/overview/writeReport.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { recipeOf, runHere } from "./support/toyRun.ts"

const recipe = recipeOf([
  { use: "toy-vit", steps: 2 },
  { use: "toy-projector", steps: 2 },
  { use: "toy-export", name: "out" }
])
const platform = Effect.provide(NodeServices.layer)

let whole: string
beforeAll(async () => {
  whole = join(mkdtempSync(join(tmpdir(), "speedq-links-")), "whole")
  await Effect.runPromise(runHere(whole, recipe))
  cpSync(join(whole, "stages/01-toy-vit"), join(whole, "superseded/01-toy-vit-before"), { recursive: true })
})

afterAll(() => rmSync(dirname(whole), { recursive: true }))

/** A copy of the run, and beside it what is called `name` there, to which a link in its place leads. */
const linked = (name: string) => {
  const root = temporaryDirectory()
  const [directory, outside] = [join(root, "run"), join(root, "outside")]
  cpSync(whole, directory, { recursive: true })
  const target = join(outside, name)
  mkdirSync(dirname(target), { recursive: true })
  renameSync(join(directory, name), target)
  symlinkSync(target, join(directory, name))
  return { directory, outside, target }
}

const contentOf = (directory: string): string =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => `${file} ${readFileSync(file, "base64")}`)
    .join("\n")

const failureOf = (exit: Exit.Exit<unknown, unknown>): string => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(error, StorageFailed)
  return error.message
}

describe("a link out of a run's directory", () => {
  it.live.each([
    ...["run.json", "events.jsonl", "report.html", "stages", "stages/01-toy-vit", "stages/01-toy-vit/report.json"],
    ...["stages/01-toy-vit/manifest.json", "superseded", "superseded/01-toy-vit-before", "model", "model/out.bin"]
  ])("%s: is followed neither to read, nor to go on, nor to remove", (name) =>
    Effect.gen(function* () {
      const { directory, outside, target } = linked(name)
      const before = contentOf(outside)
      const told = `${join(directory, name)} is a link to ${target}, out of the run's directory`
      assert.include(failureOf(yield* Effect.exit(status(directory))), told)
      assert.include(failureOf(yield* Effect.exit(writeReport(directory))), told)
      for (const fresh of [false, true])
        assert.include(failureOf((yield* runHere(directory, recipe, { fresh })).exit), told)
      assert.strictEqual(contentOf(outside), before)
    }).pipe(platform)
  )

  it.live("that leads to nothing makes nothing there", () =>
    Effect.gen(function* () {
      const { directory, target } = linked("events.jsonl")
      rmSync(target)
      assert.include(failureOf((yield* runHere(directory, recipe)).exit), `${target}, which cannot be followed`)
      assert.isFalse(existsSync(target))
    }).pipe(platform)
  )

  it.live("is none of a manifest's files", () =>
    Effect.gen(function* () {
      const root = temporaryDirectory()
      const [run, outside] = [join(root, "run"), join(root, "outside")]
      const stage = join(run, "stages", "01-mine")
      for (const made of [stage, outside]) mkdirSync(made, { recursive: true })
      writeFileSync(join(outside, "notes.txt"), "mine")
      const { id, parts } = makeKey({ stage: "s", version: 1, config: {}, versions: {}, seed: 1, inputs: {}, data: "" })
      const files = [{ file: "../../notes/notes.txt", bytes: 4, sha256: "" }]
      const finished = { steps: 1, artefacts: {}, files }
      yield* writeManifest(stage, { format: 2, key: id, parts, builds: [], steps: 1, checkpoints: [], finished })
      assert.isTrue(Option.isSome(yield* readManifest(stage)))
      symlinkSync(outside, join(run, "notes"))
      assert.isTrue(Option.isNone(yield* readManifest(stage)))
      yield* clearStages(run, [join(run, "stages")])
      assert.strictEqual(readFileSync(join(outside, "notes.txt"), "utf8"), "mine")
    }).pipe(platform)
  )
})

describe("other links", () => {
  it.live("are followed: to the directory itself, and within it; of what is no file of the run none is looked at", () =>
    Effect.gen(function* () {
      const root = temporaryDirectory()
      cpSync(whole, join(root, "run"), { recursive: true })
      renameSync(join(root, "run/model/out.bin"), join(root, "run/out.bin"))
      symlinkSync("../out.bin", join(root, "run/model/out.bin"))
      symlinkSync(root, join(root, "run/mine"))
      symlinkSync(join(root, "run"), join(root, "latest"))
      assert.isTrue(Option.isSome(yield* status(join(root, "latest"))))
      const { exit, printed } = yield* runHere(join(root, "latest"), recipe)
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.strictEqual(printed.match(/finished before, reused/g)?.length, 3, printed)
    }).pipe(platform)
  )

  it.live("in directories beside the stages are not looked at, nor is anything in them", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      cpSync(whole, directory, { recursive: true })
      for (const parent of ["stages", "superseded"]) {
        mkdirSync(join(directory, parent, "photos"))
        symlinkSync("/tmp", join(directory, parent, "photos", "more"))
        symlinkSync("/tmp", join(directory, parent, "others"))
      }
      assert.isTrue(Option.isSome(yield* status(directory)))
      // A copy of a stage under a name of its owner's is his: what is gone from its place is computed again.
      renameSync(join(directory, "stages/02-toy-projector"), join(directory, "stages/projector of before"))
      const { exit, printed } = yield* runHere(directory, recipe)
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.notMatch(printed, /02-toy-projector.*reused/)
      assert.isTrue(existsSync(join(directory, "stages/projector of before/manifest.json")))
      assert.isTrue((yield* runHere(directory, recipe, { fresh: true })).exit._tag === "Success")
      assert.isTrue(existsSync(join(directory, "stages/photos/more")))
    }).pipe(platform)
  )

  it.live("of a directory that is no run are nobody's business", () =>
    Effect.gen(function* () {
      const root = temporaryDirectory()
      symlinkSync("/tmp", join(root, "model"))
      assert.isTrue(Option.isNone(yield* readRunRecord(root)))
    }).pipe(platform)
  )
})

// The superuser may read everything.
describe.skipIf(process.getuid?.() === 0)("a stage's directory that must not be read", () => {
  it.live("is what is named, not the run's record", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      cpSync(whole, directory, { recursive: true })
      const place = join(directory, "stages/01-toy-vit")
      chmodSync(place, 0o000)
      for (const exit of [yield* Effect.exit(status(directory)), (yield* runHere(directory, recipe)).exit]) {
        const message = failureOf(exit)
        assert.include(message, place)
        assert.notInclude(message, "run.json")
      }
      chmodSync(place, 0o755)
    }).pipe(platform)
  )
})
