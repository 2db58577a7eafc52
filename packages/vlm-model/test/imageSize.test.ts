/** Sizes by headers alone are those that decoding would give. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as fc from "fast-check"
import sharp from "sharp"
import { ImageInvalid, ImageTooLarge, readImageHeader, readImageSize } from "../src/index.ts"
import { fixtureJson, fixturePath } from "./fixture.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

type Sizes = Readonly<Record<string, { readonly width: number; readonly height: number }>>
const expected = { ...fixtureJson<Sizes>("images.json"), ...fixtureJson<Sizes>("moreImages.json") }
const path = (name: string): string => fixturePath(`images/${name}`)
const root = temporaryDirectory()

describe("readImageSize", () => {
  for (const [name, { width, height }] of Object.entries(expected)) {
    it.effect(`gives the size of ${name}`, () =>
      Effect.gen(function* () {
        const size = yield* readImageSize(path(name))
        assert.deepEqual([size.width, size.height], [width, height])
      })
    )
  }

  it.effect("steps over whatever lies before the frame of a JPEG", () =>
    Effect.gen(function* () {
      const plain = yield* Effect.promise(() =>
        sharp({ create: { width: 31, height: 17, channels: 3, background: "#4080c0" } })
          .jpeg()
          .toBuffer()
      )
      // Five application segments of 64 KiB, one of which holds another picture, and bytes that fill.
      const segment = Buffer.concat([Buffer.from([0xff, 0xe2, 0xff, 0xff]), plain, Buffer.alloc(0xfffd - plain.length)])
      const file = join(root, "segments.jpg")
      const filled = Buffer.from([0xff, 0xff])
      writeFileSync(file, Buffer.concat([plain.subarray(0, 2), ...Array(5).fill(segment), filled, plain.subarray(2)]))
      const size = yield* readImageSize(file)
      assert.deepEqual([size.width, size.height], [31, 17])
    })
  )

  it.effect("reads the start of the file alone", () =>
    Effect.gen(function* () {
      const file = join(root, "cut.png")
      writeFileSync(file, readFileSync(path("rgb8.png")).subarray(0, 40))
      const { width, height } = expected["rgb8.png"]!
      assert.deepEqual(yield* readImageSize(file), { width, height })
    })
  )

  it.effect("refuses what is too large, no image, or not there", () =>
    Effect.gen(function* () {
      const { width, height } = expected["rgb8.png"]!
      const large = yield* Effect.flip(readImageSize(path("rgb8.png"), { maxPixels: width * height - 1 }))
      assert.instanceOf(large, ImageTooLarge)
      const text = join(root, "text.png")
      writeFileSync(text, "no image")
      assert.instanceOf(yield* Effect.flip(readImageSize(text)), ImageInvalid)
      assert.instanceOf(yield* Effect.flip(readImageSize(join(root, "missing.png"))), FileFailed)
      assert.instanceOf(yield* Effect.flip(readImageSize(root)), FileFailed)
    })
  )

  it("says of any bytes what decoding says, or fails with a typed error", async () => {
    const sources = ["rgb8.png", "c420.jpg", "prog.jpg", "lossy.webp", "plain.gif", "p8.bmp"].map((name) =>
      readFileSync(path(name))
    )
    const change = fc.record({ at: fc.nat(200), value: fc.integer({ min: 0, max: 255 }) })
    const file = join(root, "changed.bin")
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...sources),
        fc.array(change, { maxLength: 4 }),
        fc.nat(400),
        async (source, changes, length) => {
          const bytes = Buffer.from(source.subarray(0, 50 + length))
          for (const { at, value } of changes) if (at < bytes.length) bytes[at] = value
          writeFileSync(file, bytes)
          const size = await Effect.runPromiseExit(readImageSize(file))
          const header = await Effect.runPromiseExit(readImageHeader(file))
          if (Exit.isSuccess(header) && Exit.isSuccess(size)) {
            assert.deepEqual([size.value.width, size.value.height], [header.value.width, header.value.height])
          } else if (Exit.isSuccess(header)) assert.fail("the header is read, the size is not")
          else if (Exit.isFailure(size)) assert.isFalse(Exit.hasDies(size))
        }
      ),
      { numRuns: 300, seed: 20261129 }
    )
  })
})
