/** Pictures are judged by their first and last bytes, and decoded where these leave a doubt. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import sharp from "sharp"
import { assert } from "vitest"
import { checkImage } from "../src/index.ts"

const encoded = (format: "png" | "jpeg" | "gif" | "webp" | "tiff") =>
  Effect.promise(() =>
    sharp({ create: { width: 40, height: 30, channels: 3, background: "teal" } })
      .toFormat(format)
      .toBuffer()
  )
const isGood = (bytes: Uint8Array, maxPixels?: number) =>
  Effect.map(Effect.exit(checkImage(bytes, { name: "it", maxPixels })), Exit.isSuccess)

describe("checkImage", () => {
  for (const format of ["png", "jpeg", "gif", "webp", "tiff"] as const) {
    it.effect(`tells a whole ${format} from one that is cut off, empty, or too large`, () =>
      Effect.gen(function* () {
        const bytes = yield* encoded(format)
        assert.isTrue(yield* isGood(bytes))
        // Bytes behind the end do no harm.
        assert.isTrue(yield* isGood(Buffer.concat([bytes, Buffer.from("more")])))
        assert.isTrue(yield* isGood(bytes, 1200))
        assert.isFalse(yield* isGood(bytes, 1199))
        for (const share of [0, 0.1, 0.5, 0.8]) {
          const cut = bytes.subarray(0, Math.floor(share * bytes.length))
          assert.isFalse(yield* isGood(cut), `${share} of it`)
        }
      })
    )
  }

  it.effect("decodes nothing where both ends are good", () =>
    Effect.gen(function* () {
      const bytes = yield* encoded("png")
      bytes.fill(0, 60, bytes.length - 12)
      assert.isTrue(yield* isGood(bytes))
    })
  )
})
