import { execFileSync, spawnSync } from "node:child_process"
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { TestClock } from "effect/testing"
import { decodeImage, FfmpegMissing, ImageTooLarge, openVideo, type RgbImage, VideoInvalid } from "../src/index.ts"
import { fixtureJson, fixturePath, sha256 } from "./fixture.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const root = temporaryDirectory()
const image = (name: string): string => fixturePath(`images/${name}`)
const whole = (frame: RgbImage): RgbImage => frame

/** A program that answers as ffmpeg does: a packet list of `frames` lines, or numbered frames of 2 x 1 pixels. */
const fakeFfmpeg = (name: string, options: { frames?: number; decoded?: number; fail?: boolean }): string => {
  const file = join(root, name)
  const lines = Array.from({ length: options.frames ?? 0 }, (_, i) => `0, ${i}, ${i * 4}, 4, 10, 0x0`)
  const listing = ["#tb 0: 1/100", "#media_type 0: video", "#dimensions 0: 2x1", ...lines, ""].join("\n")
  writeFileSync(
    file,
    `#!${process.execPath}
const args = process.argv.slice(2)
if (${options.fail ?? false}) { console.error("moov atom not found\\nmore"); process.exit(183) }
if (args.includes("framecrc")) process.stdout.write(${JSON.stringify(listing)})
else {
  const select = args[args.indexOf("-vf") + 1]
  const wanted = [...select.matchAll(/eq\\(n,(\\d+)\\)/g)].map((match) => Number(match[1])).slice(0, ${options.decoded ?? 1000})
  for (const index of wanted) for (let i = 0; i < 6; i++) process.stdout.write(Buffer.of(index))
}
`
  )
  chmodSync(file, 0o755)
  return file
}

describe("openVideo of a folder", () => {
  it.effect("reads its images in natural order and skips other files", () =>
    Effect.gen(function* () {
      const folder = join(root, "frames")
      mkdirSync(folder)
      const names = ["rgb8.png", "c444.jpg", "lossy.webp"]
      for (const [i, name] of names.entries()) {
        copyFileSync(image(name), join(folder, `frame_${[2, 10, 100][i]}.${name.split(".")[1]}`))
      }
      writeFileSync(join(folder, "notes.txt"), "not a frame")
      const video = yield* openVideo(folder)
      assert.strictEqual(video.frames, 3)
      assert.isUndefined(video.framesPerSecond)
      const frames = yield* video.read([0, 1, 1, 2], whole)
      const expected = yield* Effect.forEach([0, 1, 1, 2], (i) => decodeImage(image(names[i]!)))
      assert.deepEqual(frames, expected)
    })
  )

  it.effect("says what is missing", () =>
    Effect.gen(function* () {
      const empty = join(root, "empty")
      mkdirSync(empty)
      const error = yield* Effect.flip(openVideo(empty))
      assert.instanceOf(error, VideoInvalid)
      assert.match(error.message, /empty: the folder has no \.png/)
      assert.match((yield* Effect.flip(openVideo(join(root, "nowhere")))).message, /nowhere/)
    })
  )
})

describe("openVideo of an animated image", () => {
  it.effect("reads the frames that Pillow reads, and their rate", () =>
    Effect.gen(function* () {
      const expected = fixtureJson<Readonly<Record<string, { readonly frames: ReadonlyArray<string> }>>>("images.json")
      for (const [name, rate] of [
        ["anim.gif", 10],
        ["anim.webp", 12.5]
      ] as const) {
        const video = yield* openVideo(image(name))
        const indices = Array.from({ length: video.frames }, (_, i) => i)
        const digests = yield* video.read(indices, (frame) => sha256(frame.data))
        assert.deepEqual(digests, expected[name]!.frames)
        assert.strictEqual(video.framesPerSecond, rate)
      }
      assert.strictEqual((yield* openVideo(image("plain.gif"))).frames, 1)
    })
  )
})

describe("openVideo of a container", () => {
  const container = fixturePath("video.mp4")

  it.effect("counts packets, and reads every frame asked for once", () =>
    Effect.gen(function* () {
      const video = yield* openVideo(container, { ffmpeg: fakeFfmpeg("good", { frames: 50 }) })
      assert.deepEqual([video.frames, video.framesPerSecond], [50, 25])
      const frames = yield* video.read([3, 7, 7, 49], ({ width, height, data }) => [width, height, ...data])
      const frame = (index: number) => [2, 1, ...new Array<number>(6).fill(index)]
      assert.deepEqual(frames, [3, 7, 7, 49].map(frame))
    })
  )

  it.effect("says how to get ffmpeg where there is none", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(openVideo(container, { ffmpeg: "ffmpeg-that-is-not-there" }))
      assert.instanceOf(error, FfmpegMissing)
      assert.match(error.message, /video\.mp4: .*no ffmpeg-that-is-not-there on the PATH; .*apt-get install ffmpeg/)
    })
  )

  it.effect("reports what ffmpeg refuses, and frames that do not come", () =>
    Effect.gen(function* () {
      const refused = yield* Effect.flip(openVideo(container, { ffmpeg: fakeFfmpeg("refusing", { fail: true }) }))
      assert.instanceOf(refused, VideoInvalid)
      assert.match(refused.message, /exit 183\): moov atom not found$/)
      const script = (name: string, code: string) => {
        const file = join(root, name)
        writeFileSync(file, `#!${process.execPath}\n${code}`)
        chmodSync(file, 0o755)
        return file
      }
      const telling = script("telling", 'console.error(process.argv.slice(2).join(" ")); process.exit(1)')
      const told = yield* Effect.flip(openVideo(container, { ffmpeg: telling }))
      assert.match(told.message, /-protocol_whitelist file,crypto,data .*-i file:.* -frames:v 1000001 -f framecrc -$/)
      const list = `"#tb 0: 1/1\\n#dimensions 0: 2x1\\n0, 0, 0, 1, 1, 0x0\\n"`
      const endless = script(
        "endless",
        `if (process.argv.includes("framecrc")) console.log(${list}); else setInterval(() => process.stdout.write(Buffer.alloc(6000)), 1)`
      )
      const one = yield* openVideo(container, { ffmpeg: endless })
      const much = yield* Effect.flip(one.read([0], whole))
      assert.include(much.message, "gives more than was asked for")
      const none = yield* Effect.flip(openVideo(container, { ffmpeg: fakeFfmpeg("silent", {}) }))
      assert.match(none.message, /no video frames/)
      const cut = yield* openVideo(container, { ffmpeg: fakeFfmpeg("cut", { frames: 9, decoded: 2 }) })
      const error = yield* Effect.flip(cut.read([1, 2, 3], whole))
      assert.match(error.message, /decoded 2 of the 3 frames 1, 2, 3/)
      const large = yield* Effect.flip(
        openVideo(container, { ffmpeg: fakeFfmpeg("large", { frames: 9 }), maxPixels: 1 })
      )
      assert.instanceOf(large, ImageTooLarge)
    })
  )

  it.effect("ends an ffmpeg that does not end by itself", () =>
    Effect.gen(function* () {
      const [file, started] = [join(root, "sleeping"), join(root, "sleeping.pid")]
      const script = `require("node:fs").writeFileSync(${JSON.stringify(started)}, String(process.pid)); setInterval(() => {}, 1e6)`
      writeFileSync(file, `#!${process.execPath}\n${script}`)
      chmodSync(file, 0o755)
      const until = (isSo: () => boolean) =>
        Effect.promise(async () => {
          while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 20))
        })
      const isRunning = (pid: number) => {
        try {
          return process.kill(pid, 0)
        } catch {
          return false
        }
      }
      const opening = yield* Effect.forkChild(Effect.flip(openVideo(container, { ffmpeg: file })))
      yield* until(() => existsSync(started) && readFileSync(started, "utf8") !== "")
      yield* TestClock.adjust("599 seconds")
      const pid = Number(readFileSync(started, "utf8"))
      assert.isTrue(isRunning(pid))
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(opening)
      assert.instanceOf(error, VideoInvalid)
      assert.include(error.message, "did not end within 600 s; convert it")
      yield* until(() => !isRunning(pid))
    })
  )

  it.effect.runIf(spawnSync("ffmpeg", ["-version"]).error === undefined)(
    "reads a real video with the ffmpeg on the PATH",
    () =>
      Effect.gen(function* () {
        const video = yield* openVideo(container)
        assert.deepEqual([video.frames, video.framesPerSecond], [30, 10])
        const raw = execFileSync("ffmpeg", ["-v", "error", "-i", container, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        const frames = yield* video.read([0, 3, 17, 29], whole)
        for (const [i, index] of [0, 3, 17, 29].entries()) {
          assert.isTrue(raw.subarray(index * 9216, (index + 1) * 9216).equals(frames[i]!.data), `frame ${index}`)
        }
      })
  )
})
