/** What a run says when the file system refuses, whichever library asked it. */
import "./toy/operations.ts"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as PlatformError from "effect/PlatformError"
import { afterEach, assert, describe, it } from "vitest"
import { OtherRuns } from "../src/checkpoints/Checkpoints.ts"
import { RunDirectory } from "../src/directory/RunDirectory.ts"
import { storageFailed } from "../src/files/storage.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { recipeOf, runHere } from "./support/toyRun.ts"
import { watch } from "./toy/operations.ts"

const system = (code: string) => Object.assign(new Error(`${code}: said the system`), { code })
const platform = (code: string, method: string) =>
  PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method, cause: system(code) })
const said = (error: unknown) => {
  const { reason, message } = storageFailed("save", "/run", error)
  return [reason, message.replace("could not save (/run): ", "").replace(". What was saved before is intact.", "")]
}

describe("storageFailed", () => {
  it("knows the reason, and what to do, of writes, directories and links", () => {
    const full = ["disk-full", "the disk is full; free some space and run the same command again"]
    for (const error of [platform("ENOSPC", "write"), platform("ENOSPC", "makeDirectory"), system("ENOSPC")])
      assert.deepStrictEqual(said(error), full)
    const quota = "quota-used-up"
    assert.strictEqual(said(platform("EDQUOT", "makeDirectory"))[0], quota)
    const file = { file: "/run/x", operation: "write", reason: "EDQUOT: said the system" }
    const [reason, text] = said(new FileFailed({ ...file, code: "EDQUOT" }))
    assert.strictEqual(reason, quota)
    assert.match(text!, /^this user's quota of the file system is used up; remove files of this user there/)
    assert.deepStrictEqual(said(platform("EROFS", "link")), [
      "read-only",
      "the file system is read-only; choose another place"
    ])
    assert.deepStrictEqual(said(platform("ENOTSUP", "link")), [
      "not-supported",
      "this file system cannot do that; choose a place on another one"
    ])
    assert.deepStrictEqual(said(platform("EIO", "write")), ["other", "EIO: said the system"])
  })
})

describe("a directory of a run", () => {
  afterEach(() => watch({}))
  const opened = (directory: string) =>
    RunDirectory.layer(directory).pipe(Layer.provide(NodeServices.layer), Layer.build, Effect.scoped)

  it("that the system does not make is told with the reason, and what to do", async () => {
    const reasons = [
      ["ENOSPC", "disk-full"],
      ["EDQUOT", "quota-used-up"],
      ["EROFS", "read-only"],
      ["EACCES", "not-permitted"]
    ] as const
    for (const [code, reason] of reasons) {
      const directory = join(temporaryDirectory(), "run")
      watch({ before: ({ kind }) => (kind === "makeDirectory" ? { code } : undefined) })
      const error = await Effect.runPromise(Effect.flip(opened(directory)))
      assert.deepInclude(error, { _tag: "StorageFailed", doing: "open the run directory", path: directory, reason })
      assert.isFalse(existsSync(directory))
    }
  })

  it("of a file system that cannot flush directories is no failure; that its disk fails is", async () => {
    const directory = join(temporaryDirectory(), "run")
    const refuse = (code: string) =>
      watch({ before: ({ kind, path }) => (kind === "flush" && !path.endsWith(".json") ? { code } : undefined) })
    refuse("EIO")
    const error = await Effect.runPromise(Effect.flip(opened(directory)))
    assert.deepInclude(error, { _tag: "StorageFailed", reason: "other" })
    refuse("EINVAL")
    await Effect.runPromise(opened(join(directory, "below")))
    assert.isTrue(existsSync(join(directory, "below", "stages")))
  })

  it("is opened although files of a process that held it until now are gone since they were listed", async () => {
    const directory = temporaryDirectory()
    let isFirst = true
    const listing = Layer.effect(
      FileSystem.FileSystem,
      Effect.map(FileSystem.FileSystem, (fs) =>
        FileSystem.FileSystem.of({
          ...fs,
          readDirectory: (path, options) => {
            const gone = isFirst && path === directory ? [".run.json.1-0-0.tmp"] : []
            isFirst = false
            return Effect.map(fs.readDirectory(path, options), (names) => [...names, ...gone])
          }
        })
      )
    )
    const services = Layer.provideMerge(listing, NodeServices.layer)
    await Effect.runPromise(RunDirectory.layer(directory).pipe(Layer.provide(services), Layer.build, Effect.scoped))
    assert.isFalse(isFirst)
  })

  it("has a stage that is copied from another run flushed before it takes its name", async () => {
    const [one, other] = [join(temporaryDirectory(), "one"), join(temporaryDirectory(), "other")]
    const recipe = recipeOf([{ use: "toy-vit", steps: 2, floats: 8 }])
    await Effect.runPromise(runHere(one, recipe))
    const flushed = new Set<string>()
    let copied: ReadonlyArray<string> = []
    let missing: ReadonlyArray<string> = []
    watch({
      after: (operation) => {
        if (operation.kind === "flush") flushed.add(operation.path)
        if (operation.kind !== "rename" || operation.to !== join(other, "stages/01-toy-vit")) return
        const names = readdirSync(operation.to)
        copied = [operation.path, ...names.map((name) => join(operation.path, name))]
        missing = copied.filter((path) => !flushed.has(path))
      }
    })
    const { printed } = await Effect.runPromise(Effect.provideService(runHere(other, recipe), OtherRuns, [one]))
    assert.include(printed, "finished before, reused")
    assert.isAbove(copied.length, 3)
    assert.isEmpty(missing)
  })
})
