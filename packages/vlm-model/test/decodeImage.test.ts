import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { assert, describe, it } from "@effect/vitest"
import { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { gifFirstFrame } from "../src/image/gifFirstFrame.ts"
import { decodeImage, decodePage, ImageInvalid, ImageTooLarge, jpegRoundTrip, readImageHeader } from "../src/index.ts"
import { fixtureJson, fixturePath, sha256 } from "./fixture.ts"
import { generatedImage } from "./generatedImage.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

interface Expected {
  readonly mode: string
  readonly width: number
  readonly height: number
  readonly frames: ReadonlyArray<string>
}
type Expectations = Readonly<Record<string, Expected>>
const expected = { ...fixtureJson<Expectations>("images.json"), ...fixtureJson<Expectations>("moreImages.json") }
const path = (name: string): string => fixturePath(`images/${name}`)
const root = temporaryDirectory()

describe("decodeImage", () => {
  for (const [name, { mode, width, height, frames }] of Object.entries(expected)) {
    it.effect(`gives Pillow's bytes of ${name} (mode ${mode})`, () =>
      Effect.gen(function* () {
        const header = yield* readImageHeader(path(name))
        assert.deepEqual([header.width, header.height, header.pages], [width, height, frames.length])
        for (const [page, digest] of frames.entries()) {
          const image = yield* decodePage(header, page)
          assert.deepEqual([image.width, image.height, image.data.length], [width, height, width * height * 3])
          assert.strictEqual(sha256(image.data), digest, `page ${page}`)
        }
        const bytes = yield* decodeImage(readFileSync(path(name)))
        assert.strictEqual(sha256(bytes.data), frames[0])
      })
    )
  }

  it.effect("names the file that is missing, damaged, or no image", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.flip(decodeImage(join(root, "missing.png")))
      assert.instanceOf(missing, FileFailed)
      assert.include(missing.message, "missing.png")
      for (const name of ["rgb8.png", "c420.jpg", "lossy.webp", "plain.gif", "prog.jpg"]) {
        const bytes = readFileSync(path(name))
        for (const part of [0, 0.3, 0.6, 0.9]) {
          const file = join(root, `${part}-${name}`)
          writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length * part)))
          const error = yield* Effect.flip(decodeImage(file))
          assert.instanceOf(error, ImageInvalid)
          assert.include(error.message, file)
          assert.notInclude(error.message, "\n")
        }
      }
      const text = yield* Effect.flip(decodeImage(Buffer.from("no image"), { name: "attachment 3" }))
      assert.match(text.message, /^attachment 3: not an image/)
      const svg = Buffer.from("<svg xmlns='http://www.w3.org/2000/svg' width='5' height='5'/>")
      const error = yield* Effect.flip(decodeImage(svg))
      assert.match(
        error.message,
        /not an image that can be read: it does not begin as one does; convert it to png, jpeg, webp, gif/
      )
    })
  )

  it.effect("refuses what is no regular file, without waiting for it", () =>
    Effect.gen(function* () {
      const pipe = join(root, "pipe.png")
      execFileSync("mkfifo", [pipe])
      for (const file of [pipe, "/dev/zero", root]) {
        const error = yield* Effect.flip(decodeImage(file))
        assert.instanceOf(error, FileFailed)
        assert.match(error.message, /cannot read: it is not a regular file, but a/)
      }
    })
  )

  it.effect("refuses too many pixels before decoding, also of a header that lies", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(decodeImage(path("c420.jpg"), { maxPixels: 1000 }))
      assert.instanceOf(error, ImageTooLarge)
      assert.match(error.message, /c420\.jpg: 37 x 29 pixels are more than 1000; .*maxPixels/)
      const bomb = readFileSync(path("plain.gif"))
      bomb.writeUInt16LE(65535, 6)
      bomb.writeUInt16LE(65535, 8)
      assert.instanceOf(yield* Effect.flip(decodeImage(bomb)), ImageTooLarge)
    })
  )

  it.effect("has a limit of pixels that can be raised, or taken away", () =>
    Effect.gen(function* () {
      // 20,000 x 20,000 pixels: a header is enough.
      const huge = Buffer.from(readFileSync(path("grey1.png")))
      huge.writeUInt32BE(20_000, 16)
      huge.writeUInt32BE(20_000, 20)
      huge.writeUInt32BE(crc32(huge.subarray(12, 29)), 29)
      assert.instanceOf(yield* Effect.flip(readImageHeader(huge)), ImageTooLarge)
      for (const maxPixels of [400_000_000, Number.POSITIVE_INFINITY]) {
        assert.strictEqual((yield* readImageHeader(huge, { maxPixels })).width, 20_000)
      }
      // Without a limit, a header that lies asks for more memory than there is: that is the file's fault.
      const lying = Buffer.from(readFileSync(path("p4.bmp")))
      lying.writeInt32LE(2 ** 30, 18)
      lying.writeInt32LE(2 ** 30, 22)
      const options = { maxPixels: Number.POSITIVE_INFINITY, truncated: "load" } as const
      assert.match(
        (yield* Effect.flip(decodeImage(lying, options))).message,
        /x 1073741824 pixels do not fit into memory/
      )
    })
  )

  it.effect("survives damage of any kind", () =>
    Effect.gen(function* () {
      const random = generatedImage(1000, 100, 9).data
      let at = 0
      const next = (limit: number) => (random[at++ % random.length]! * 256 + random[at++ % random.length]!) % limit
      const still = ["rgb8.png", "c420.jpg", "alpha.webp", "plain.gif", "pal4-trns.png", "interlaced.png"]
      for (const name of [...still, "anim.gif", "rle4.bmp", "rle8.bmp", "v4-rgba.bmp", "p4.bmp", "lzw.tif"]) {
        for (let run = 0; run < 80; run++) {
          const bytes = Buffer.from(readFileSync(path(name)))
          for (let i = 0; i < 4; i++) bytes[next(bytes.length)] = next(256)
          const cut = bytes.subarray(0, run % 4 === 3 ? next(bytes.length) : bytes.length)
          const truncated = run % 2 === 0 ? "reject" : "load"
          const result = yield* Effect.result(decodeImage(cut, { maxPixels: 1e6, truncated }))
          if (result._tag === "Success") {
            assert.strictEqual(result.success.data.length, result.success.width * result.success.height * 3)
          } else assert.include(["ImageInvalid", "ImageTooLarge"], result.failure._tag)
        }
      }
    })
  )
})

interface Damaged {
  readonly file: string
  readonly bytes: number
  readonly sha256: string | null
}

describe("a file that is cut off", () => {
  for (const { file, bytes, sha256: digest } of fixtureJson<ReadonlyArray<Damaged>>("truncated.json")) {
    it.effect(`${file} after ${bytes} bytes is refused, or loaded as Pillow does`, () =>
      Effect.gen(function* () {
        const cut = readFileSync(path(file)).subarray(0, bytes)
        const loaded = yield* Effect.result(decodeImage(cut, { truncated: "load" }))
        const strict = yield* Effect.result(decodeImage(cut))
        if (digest === null) {
          assert.strictEqual(loaded._tag, "Failure")
          assert.strictEqual(strict._tag, "Failure")
        } else if (loaded._tag === "Failure") assert.fail(loaded.failure.message)
        else {
          assert.strictEqual(sha256(loaded.success.data), digest)
          // Not refused means cut off behind its pixels, which are whole.
          if (strict._tag === "Success") assert.strictEqual(sha256(strict.success.data), expected[file]!.frames[0])
        }
      })
    )
  }
})

describe("gifFirstFrame", () => {
  it("never throws and never hangs on damaged bytes", () => {
    const bytes = readFileSync(path("transparent.gif"))
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 })
    fc.assert(
      fc.property(damage, fc.nat(bytes.length), (changes, length) => {
        const hostile = Uint8Array.from(bytes.subarray(0, length))
        for (const [at, value] of changes) if (at >= 10 && at < length) hostile[at] = value
        const frame = gifFirstFrame(hostile)
        if (frame) assert.strictEqual(frame.data.length, frame.width * frame.height * 3)
      }),
      { seed: 30, numRuns: 3000 }
    )
  })
})

describe("jpegRoundTrip", () => {
  it.effect("changes an image as Pillow's compression does", () =>
    Effect.gen(function* () {
      const image = yield* decodeImage(path("interlaced.png"))
      for (const [quality, digest] of Object.entries(fixtureJson<Readonly<Record<string, string>>>("jpeg.json"))) {
        assert.strictEqual(sha256((yield* jpegRoundTrip(image, Number(quality))).data), digest, `quality ${quality}`)
      }
    })
  )
})
