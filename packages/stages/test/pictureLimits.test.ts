/** Which pictures calibration and evaluation read: files that are cut off, and files that are too large. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { benchmarkNamed, benchmarks, readDataFile } from "@speedq/evaluation"
import { RunEvents } from "@speedq/pipeline"
import { openModelDirectory, type PictureLimits } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { openCalibrationTiles } from "../src/data/CalibrationTiles.ts"
import { DataUnusable } from "../src/Errors.ts"
import { galleries } from "../src/evaluate/gallery.ts"
import { eventsOfKind, makeNanoRuns, nanoData, nearest, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("pictures", runs)

describe("calibration pictures", () => {
  it("that are cut off or too large are refused by name, or read where limits say so", async () => {
    const whole = readFileSync(join(nanoData, "images/0001.png"))
    writeFileSync(join(root, "cut.png"), whole.subarray(0, Math.floor(whole.length * 0.6)))
    writeFileSync(join(root, "list.txt"), "cut.png\n")
    const read = (limits: PictureLimits) =>
      Effect.runPromise(
        Effect.result(
          Effect.gen(function* () {
            const { image } = yield* openModelDirectory(model)
            const sources = { images: join(root, "list.txt"), count: 4, maxTiles: 1 }
            const tiles = yield* openCalibrationTiles(sources, image, 1, { limits })
            let seen = 0
            yield* tiles.visit(() => Effect.sync(() => seen++))
            return seen
          })
        )
      )
    for (const [limits, reason] of [
      [{}, /cut\.png: not an image that can be read/],
      [{ truncated: "load", maxPixels: 9 }, /cut\.png: \d+ x \d+ pixels are more than 9/]
    ] as const) {
      const result = await read(limits)
      if (result._tag === "Success") return assert.fail("it was read")
      assert.instanceOf(result.failure, DataUnusable)
      assert.match(result.failure.message, reason)
    }
    const loaded = await read({ truncated: "load" })
    assert.deepStrictEqual(loaded._tag === "Success" && loaded.success, 1)
  })

  it("that cannot be used are replaced and reported, and a killed stage goes on to the same bits", async () => {
    const names = Array.from({ length: 8 }, (_, n) => join(nanoData, `images/000${n}.png`))
    const list = join(root, "mixed.txt")
    writeFileSync(list, [...names, join(root, "cut.png"), join(root, "none.png")].join("\n"))
    const stage = { ...shortStages.adaround, images: list, count: 8, iterations: 2, onError: "substitute" }
    const recipe = { version: 1, name: "replaced", model, seed: 5, stages: [stage] }
    const [whole, killed] = [join(root, "whole"), join(root, "killed")]
    const { exit, entries } = await runs.run(recipe, whole)
    assert.isTrue(Exit.isSuccess(exit))
    const replaced = eventsOfKind(RunEvents.DataSubstituted, entries).map(({ sample }) => sample)
    assert.sameMembers(replaced, [join(root, "cut.png"), join(root, "none.png")])
    const report = readFileSync(join(whole, "stages/01-adaround-vit/report.json"), "utf8")
    assert.match(report, /Calibration images that were replaced.*none\.png/s)
    await runs.run(recipe, killed, { stage: "01-adaround-vit", step: 4 })
    assert.isTrue(Exit.isSuccess((await runs.run(recipe, killed)).exit))
    assert.deepStrictEqual(resultsOf(killed), resultsOf(whole))
  })
})

describe("the stage evaluate", () => {
  it("refuses pictures above its limit by row, and shows them as they were stored", async () => {
    const data = join(nanoData, "evaluation/short.tsv")
    const benchmarks = [{ name: "nano", data, limit: 1 }]
    const of = (more: object) => ({ use: "evaluate", title: "limited", benchmarks, nearest, divergence: 1, ...more })
    const recipe = (more: object) => ({ version: 1, name: "limited", model, stages: [of(more)] })
    const { exit } = await runs.run(recipe({ maxPixels: 9 }), join(root, "limited"))
    if (Exit.isSuccess(exit)) return assert.fail("it was read")
    assert.match(String(Cause.squash(exit.cause)), /short\.tsv, row 1 .*pixels are more than 9/)
    const reportOf = async (name: string, more: object) => {
      assert.isTrue(Exit.isSuccess((await runs.run(recipe(more), join(root, name))).exit))
      return readFileSync(join(root, name, "stages/01-evaluate/report.json"), "utf8")
    }
    // What the model sees is the picture, or the JPEG of it: its divergence shows which.
    const plain = await reportOf("enough", { maxPixels: 1_000_000 })
    assert.strictEqual(await reportOf("lossless", { imageStore: "lossless" }), plain)
    assert.notStrictEqual(await reportOf("jpeg", { imageStore: "jpeg75" }), plain)
  })

  it("shows pictures by the same limit", async () => {
    const file = join(nanoData, "evaluation/short.tsv")
    const failure = await Effect.runPromise(
      Effect.flip(
        Effect.gen(function* () {
          const benchmark = yield* benchmarkNamed("nano", benchmarks)
          const read = yield* readDataFile(file, benchmark)
          const answers = [{ index: read.rows[0]!.index, answer: "" }]
          const scores = [
            {
              benchmark: "nano",
              data: "short.tsv",
              overall: 0,
              categories: {},
              divergence: null,
              divergenceTokens: 0,
              answers
            }
          ]
          const evaluations = [{ title: "one", made: "source" as const, scores, bytes: 1, bitsPerParameter: 1 }]
          return yield* galleries([{ benchmark, data: read, name: "short.tsv" }], evaluations, { maxPixels: 9 })
        })
      )
    )
    assert.match(failure.message, /row 1 .*pixels are more than 9/)
  })
})
