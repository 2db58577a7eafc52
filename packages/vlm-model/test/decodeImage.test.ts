import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
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
const expected = fixtureJson<Readonly<Record<string, Expected>>>("images.json")
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
      assert.match(error.message, /format svg is not supported; convert it to png, jpeg, webp, gif/)
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

  it.effect("survives damage of any kind", () =>
    Effect.gen(function* () {
      const random = generatedImage(1000, 100, 9).data
      let at = 0
      const next = (limit: number) => (random[at++ % random.length]! * 256 + random[at++ % random.length]!) % limit
      for (const name of ["rgb8.png", "c420.jpg", "alpha.webp", "plain.gif", "pal4-trns.png", "anim.gif"]) {
        for (let run = 0; run < 40; run++) {
          const bytes = Buffer.from(readFileSync(path(name)))
          for (let i = 0; i < 4; i++) bytes[next(bytes.length)] = next(256)
          const result = yield* Effect.result(decodeImage(bytes, { maxPixels: 1e6 }))
          if (result._tag === "Success") {
            assert.strictEqual(result.success.data.length, result.success.width * result.success.height * 3)
          } else assert.include(["ImageInvalid", "ImageTooLarge"], result.failure._tag)
        }
      }
    })
  )
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
