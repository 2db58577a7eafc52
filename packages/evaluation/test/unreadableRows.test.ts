import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { mmStar } from "../src/benchmarks/MmStar.ts"
import { readDataFile } from "../src/data/DataFile.ts"
import { unreadableRows } from "../src/data/unreadableRows.ts"
import { namedRows } from "../src/Errors.ts"
import { fileIn, pngBase64, temporaryDirectory, tsvOf } from "./dataFiles.ts"

describe("unreadableRows", () => {
  it.live("finds every row whose picture is cut off, none, or too large, as long as there is time", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const [small, large] = yield* Effect.all([6, 60].map((height) => Effect.promise(() => pngBase64(1, 8, height))))
      const pictures = [
        small!,
        small!.slice(0, 120),
        "Q".repeat(100),
        "1",
        `['${small}', '${small!.slice(0, 100)}']`,
        large!
      ]
      const rows = pictures.map((picture, at) => [String(at + 1), picture, "q", "x", "y", "A"])
      const columns = ["index", "image", "question", "A", "B", "answer"]
      const data = yield* readDataFile(fileIn(directory, "d.tsv", tsvOf(columns, rows)), mmStar)
      const { looked, invalid } = yield* unreadableRows(data, data.rows, { seconds: 60, maxPixels: 100 })
      assert.strictEqual(looked, 6)
      assert.deepStrictEqual(
        invalid.map(({ row }) => row),
        [2, 3, 5, 6]
      )
      const [first, ...others] = invalid
      assert.match(
        namedRows([first!, ...others]),
        /d\.tsv, row 2 \(index 2\), column "image": .*; 3 more cannot be asked: row 3 \(index 3\), row 5 \(index 5\), row 6 \(index 6\)$/
      )
      assert.deepStrictEqual(yield* unreadableRows(data, data.rows, { seconds: -1 }), { looked: 0, invalid: [] })
    })
  )
})
