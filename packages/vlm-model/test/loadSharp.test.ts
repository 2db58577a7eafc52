/** What is said where the codec of pictures is not installed. */
import * as Effect from "effect/Effect"
import sharp from "sharp"
import { assert, describe, it } from "vitest"
import { codecFrom, loadSharp, withoutOthers } from "../src/image/loadSharp.ts"
import { ImageCodecMissing } from "../src/index.ts"
import { fixturePath } from "./fixture.ts"

describe("loadSharp", () => {
  it("is sharp", async () => {
    assert.strictEqual(await Effect.runPromise(loadSharp), sharp)
  })

  it("decodes the formats that are offered, and hands no other file to their libraries", async () => {
    const codec = await Effect.runPromise(loadSharp)
    const svg = Buffer.from("<svg xmlns='http://www.w3.org/2000/svg' width='5' height='5'/>")
    assert.match(await codec(svg).metadata().then(String, String), /Error/)
    for (const name of ["rgb8.png", "c420.jpg", "lossy.webp"]) {
      assert.isAbove((await codec(fixturePath(`images/${name}`)).metadata()).width, 0, name)
    }
  })

  it("switches nothing off that is needed, not for a moment: another thread may be decoding", () => {
    const names: string[] = []
    withoutOthers({ block: ({ operation }) => void names.push(...operation) })
    assert.include(names, "VipsForeignLoadSvg")
    for (const format of ["Jpeg", "Png", "Webp", "Nsgif", "Tiff"]) {
      // A class switches off what is below it, too.
      assert.notOk(names.find((name) => `VipsForeignLoad${format}File`.startsWith(name)))
    }
  })

  it("fails with the command that installs the version of the manifest, and with why it did not load", async () => {
    const absent = "a-package-that-nobody-installed"
    const error = await Effect.runPromise(Effect.flip(codecFrom(() => import(absent))))
    assert.instanceOf(error, ImageCodecMissing)
    assert.match(error.message, /^pictures need the package sharp, which cannot be loaded \(.*a-package-that-nobody-/)
    assert.match(error.message, /; npm install sharp@\^\d+\.\d+\.\d+$/)
  })
})
