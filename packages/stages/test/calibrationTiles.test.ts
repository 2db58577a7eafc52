/** What stage 1 calibrates on: pictures drawn with a seed from folders, lists and mixtures, as crops and thumbnail. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import type { Stage } from "@speedq/pipeline"
import { encodePng, type ImageSettings, imagenetStatistics } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { afterAll, assert, describe, it } from "vitest"
import { openCalibrationTiles } from "../src/data/CalibrationTiles.ts"
import { drawPictures, isPicture, type PictureSources } from "../src/data/calibrationPictures.ts"
import { stages } from "../src/registry/stages.ts"
import { nanoData, shortStages } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-calibration-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const numbered = (number: number): string => `${String(number).padStart(4, "0")}.png`
/** A directory with some of nano's pictures. */
const folder = (name: string, first: number, count: number): string => {
  const directory = join(root, name)
  mkdirSync(directory, { recursive: true })
  for (let i = first; i < first + count; i++)
    copyFileSync(join(nanoData, "images", numbered(i)), join(directory, numbered(i)))
  return directory
}
const [a, b] = [folder("a", 0, 8), folder("b", 20, 8)]

const said = (from: "human" | "gpt", value: string) => ({ from, value })
const conversations = [said("human", "What is it?"), said("gpt", "A picture.")]
const writeMixture = (name: string, records: ReadonlyArray<object>, more: object = {}): string => {
  writeFileSync(join(root, `${name}.jsonl`), records.map((record) => JSON.stringify(record)).join("\n"))
  const meta = join(root, `${name}.json`)
  writeFileSync(meta, JSON.stringify({ [name]: { root: nanoData, annotation: `${name}.jsonl`, ...more } }))
  return meta
}

const draw = (sources: Partial<PictureSources> & Pick<PictureSources, "images">, seed = 1) =>
  Effect.runPromise(
    Effect.map(drawPictures({ count: 6, maxTiles: 6, ...sources }, seed), (drawn) =>
      drawn.filter(isPicture).slice(0, sources.count ?? 6)
    )
  )
const filesOf = (pictures: ReadonlyArray<{ readonly file: string }>) => pictures.map(({ file }) => file)

describe("calibration pictures", () => {
  it("are drawn from several folders together, the same for a seed and others for another", async () => {
    const drawn = filesOf(await draw({ images: [a, b] }))
    assert.lengthOf(new Set(drawn), 6)
    assert.isTrue(drawn.some((file) => file.startsWith(a)) && drawn.some((file) => file.startsWith(b)))
    assert.deepEqual(filesOf(await draw({ images: [a, b] })), drawn)
    assert.notDeepEqual(filesOf(await draw({ images: [a, b] }, 2)).sort(), [...drawn].sort())
  })

  it("are each drawn once, however often sources name them", async () => {
    const list = join(root, "list.txt")
    writeFileSync(list, [numbered(1), numbered(1), numbered(2)].map((name) => join(a, name)).join("\n"))
    const drawn = filesOf(await draw({ images: [list, a], count: 100 }))
    assert.lengthOf(drawn, 8)
    assert.lengthOf(new Set(drawn), 8)
  })

  it("are those of a mixture's records, each with the tiles that training gives it; texts and videos have none", async () => {
    const [one, two] = [`images/${numbered(1)}`, `images/${numbered(2)}`]
    const records = [{ conversations }, { image: one, conversations }, { video: "clip.mp4", conversations }]
    const drawn = await draw({ images: writeMixture("plain", records) })
    assert.deepEqual(drawn, [{ file: join(nanoData, one), maxTiles: 6, place: 1 }])
    const several = writeMixture("several", [{ image: [one, two], conversations }], { max_dynamic_patch: 5 })
    assert.deepEqual(
      (await draw({ images: several })).map(({ maxTiles }) => maxTiles),
      [2, 2]
    )
  })

  it("that cannot be had are named: a damaged record by its line, a source without any by its path", async () => {
    const failure = async (images: string) => {
      const exit = await Effect.runPromiseExit(drawPictures({ images, count: 6, maxTiles: 6 }, 1))
      return Exit.isFailure(exit) ? String(exit.cause) : assert.fail("pictures were drawn")
    }
    const images = writeMixture("damaged", [{ image: 7, conversations }])
    const [drawn] = await Effect.runPromise(drawPictures({ images, count: 6, maxTiles: 6 }, 1))
    assert.deepInclude(drawn, { entry: `${join(root, "damaged.jsonl")}:1` })
    assert.include(await failure(writeMixture("texts", [{ conversations }])), "texts.json: no image there")
    assert.include(await failure(join(root, "nowhere")), "nowhere")
  })
})

describe("calibration tiles", () => {
  const image: ImageSettings = {
    ...{ tileSize: 28, minTiles: 1, maxTiles: 12, thumbnail: true, dynamic: true, padToSquare: false },
    statistics: imagenetStatistics
  }
  const tilesOf = async (images: string, count: number, maxTiles: number, seed = 1) => {
    const seen: Float32Array[] = []
    const tiles = await Effect.runPromise(
      Effect.gen(function* () {
        const opened = yield* openCalibrationTiles({ images, count, maxTiles }, image, seed)
        yield* opened.visit((pixels) => Effect.sync(() => seen.push(pixels.slice())))
        return opened
      })
    )
    assert.lengthOf(seen, tiles.count)
    return { ...tiles, seen }
  }
  /** A picture of two squares side by side. */
  const wide = async (): Promise<string> => {
    const directory = join(root, "wide")
    mkdirSync(directory, { recursive: true })
    const [width, height] = [56, 28]
    const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (Math.floor(i / 3) % width < 28 ? 0 : 255))
    writeFileSync(join(directory, "wide.png"), await Effect.runPromise(encodePng({ width, height, data }, width)))
    return directory
  }

  it("are a picture's crops and its thumbnail, or the whole picture as one", async () => {
    const directory = await wide()
    const { seen, pictures } = await tilesOf(directory, 10, 6)
    assert.strictEqual(pictures, 1)
    assert.lengthOf(seen, 3)
    const means = seen.map((pixels) => pixels.reduce((sum, value) => sum + value, 0) / pixels.length)
    // Black, white, and both in the thumbnail.
    assert.isBelow(means[0]!, means[2]!)
    assert.isBelow(means[2]!, means[1]!)
    const { seen: one } = await tilesOf(directory, 10, 1)
    assert.lengthOf(one, 1)
    assert.deepEqual(one[0], seen[2])
  })

  it("of a picture that cannot be used end the stage, or another one is drawn, which the seed decides", async () => {
    const e = folder("e", 0, 12)
    const drawn = filesOf(await draw({ images: e, count: 4, maxTiles: 1 }))
    const open = (onError: "fail" | "substitute", images = e) =>
      Effect.runPromise(
        Effect.result(
          Effect.gen(function* () {
            const tiles = yield* openCalibrationTiles({ images, count: 4, maxTiles: 1 }, image, 1, { onError })
            const seen: number[] = []
            yield* tiles.visit((pixels) => Effect.sync(() => seen.push(pixels[0]!)))
            return { ...tiles, seen }
          })
        )
      )
    const whole = await open("substitute")
    const [cut, text, gone] = [drawn[0]!, drawn[1]!, drawn[3]!]
    writeFileSync(cut, readFileSync(cut).subarray(0, 200))
    writeFileSync(text, "only text")
    rmSync(gone)
    // A file of its own takes the place of the one that is gone among the names, so that the draw is the same.
    writeFileSync(gone, "")
    const [opened, again] = [await open("substitute"), await open("substitute")]
    if (Result.isFailure(opened) || Result.isFailure(again) || Result.isFailure(whole)) return assert.fail("it ended")
    assert.deepStrictEqual(
      opened.success.replaced.map(({ at }) => at),
      [cut, text, gone]
    )
    assert.strictEqual(opened.success.replaced[1]!.by, drawn[2])
    assert.strictEqual(opened.success.count, 4)
    assert.deepStrictEqual(opened.success.seen, again.success.seen)
    assert.isEmpty(whole.success.replaced)
    const failed = await open("fail")
    const message = Result.isFailure(failed) ? failed.failure.message : assert.fail("it was read")
    assert.match(message, /reading\.truncated "load", or set onError to "substitute"$/)
    assert.notInclude(message, "data.onError")
    const none = folder("none", 0, 2)
    for (const name of [0, 1]) writeFileSync(join(none, numbered(name)), "only text")
    const nothing = await open("substitute", none)
    assert.match(
      Result.isFailure(nothing) ? nothing.failure.message : "",
      /no picture of .*none can be used: .*000\d\.png/
    )
  })

  it("are in the order of the sources; where all are used, the seed decides nothing", async () => {
    const [first, second] = [await tilesOf(a, 100, 1, 1), await tilesOf(a, 100, 1, 2)]
    assert.strictEqual(first.count, 8)
    assert.deepEqual(first.seen, second.seen)
    const some = await tilesOf(a, 3, 1, 1)
    assert.strictEqual(some.count, 3)
    const places = some.seen.map((pixels) => first.seen.findIndex((each) => each.every((v, i) => v === pixels[i])))
    assert.deepEqual(
      places,
      [...places].sort((x, y) => x - y)
    )
  })
})

describe("the fingerprint of stage 1", () => {
  const fingerprint = (options: object, seed = 5) => {
    const { use, ...config } = { ...shortStages.adaround, ...options }
    const definition: Stage.Registered = stages.find(({ name }) => name === use)!
    const stage: Stage.AnyStage = Result.getOrThrow(definition.decode(config))
    const recipe = { name: "r", model: join(root, "none"), seed, save: { everySeconds: 300 } }
    return Effect.runPromise(Effect.provide(stage.fingerprint(recipe), NodeServices.layer) as Effect.Effect<string>)
  }
  it("sees every picture that is drawn, and the seed that draws them", async () => {
    const c = folder("c", 40, 5)
    const all = await fingerprint({ images: [a, c], count: 13 })
    assert.strictEqual(await fingerprint({ images: [a, c], count: 13 }, 6), all)
    const many = folder("many", 60, 40)
    assert.notStrictEqual(
      await fingerprint({ images: many, count: 4 }, 5),
      await fingerprint({ images: many, count: 4 }, 6)
    )
    copyFileSync(join(a, numbered(0)), join(c, numbered(44)))
    assert.notStrictEqual(await fingerprint({ images: [a, c], count: 13 }), all)
  })

  it("sees a mixture's records and the pictures of them", async () => {
    const d = folder("d", 50, 3)
    const record = { image: join(d, numbered(50)), conversations }
    const images = writeMixture("seen", [record])
    const before = await fingerprint({ images })
    copyFileSync(join(d, numbered(51)), join(d, numbered(50)))
    const painted = await fingerprint({ images })
    assert.notStrictEqual(painted, before)
    writeMixture("seen", [record], { max_dynamic_patch: 1 })
    assert.notStrictEqual(await fingerprint({ images }), painted)
  })
})
