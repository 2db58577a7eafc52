import { assert, describe, it } from "vitest"
import { type ResizeFilter, resize } from "../src/index.ts"
import { fixtureJson, sha256 } from "./fixture.ts"
import { generatedImage } from "./generatedImage.ts"

type Row = readonly [number, number, number, number, ResizeFilter, number, string]

describe("resize", () => {
  it("gives Pillow's bytes", () => {
    const rows = fixtureJson<ReadonlyArray<Row>>("resize.json")
    assert.isAtLeast(rows.length, 160)
    for (const [width, height, newWidth, newHeight, filter, seed, digest] of rows) {
      const resized = resize(generatedImage(width, height, seed), newWidth, newHeight, filter)
      assert.deepEqual([resized.width, resized.height], [newWidth, newHeight])
      assert.strictEqual(sha256(resized.data), digest, `${width} x ${height} -> ${newWidth} x ${newHeight}, ${filter}`)
    }
  })

  it("keeps an image of the right size, and a flat colour", () => {
    const image = generatedImage(7, 5, 1)
    assert.strictEqual(resize(image, 7, 5), image)
    const flat = { width: 9, height: 4, data: new Uint8Array(9 * 4 * 3).fill(201) }
    for (const filter of ["bicubic", "bilinear"] as const) {
      assert.isTrue(resize(flat, 40, 3, filter).data.every((value) => value === 201))
    }
  })

  it("refuses sizes that are none", () => {
    assert.throws(() => resize(generatedImage(3, 3, 1), 0, 3), RangeError, "3 x 3 to 0 x 3")
    assert.throws(() => resize(generatedImage(3, 3, 1), 3, 1.5), RangeError)
  })
})
