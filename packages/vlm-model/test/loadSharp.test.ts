/** What is said where the codec of pictures is not installed. */
import * as Effect from "effect/Effect"
import sharp from "sharp"
import { assert, describe, it } from "vitest"
import { codecFrom, loadSharp } from "../src/image/loadSharp.ts"
import { ImageCodecMissing } from "../src/index.ts"

describe("loadSharp", () => {
  it("is sharp", async () => {
    assert.strictEqual(await Effect.runPromise(loadSharp), sharp)
  })

  it("fails with the command that installs the version of the manifest, and with why it did not load", async () => {
    const absent = "a-package-that-nobody-installed"
    const error = await Effect.runPromise(Effect.flip(codecFrom(() => import(absent))))
    assert.instanceOf(error, ImageCodecMissing)
    assert.match(error.message, /^pictures need the package sharp, which cannot be loaded \(.*a-package-that-nobody-/)
    assert.match(error.message, /; npm install sharp@\^\d+\.\d+\.\d+$/)
  })
})
