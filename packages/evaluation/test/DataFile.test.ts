import { createHash } from "node:crypto"
import { closeSync, openSync, writeSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { mmbenchDevEnV11 } from "../src/benchmarks/MmbenchDevEnV11.ts"
import { mmStar } from "../src/benchmarks/MmStar.ts"
import { ocrBench } from "../src/benchmarks/OcrBench.ts"
import { type ReadOptions, readDataFile } from "../src/data/DataFile.ts"
import { fileIn, temporaryDirectory, tsvOf } from "./dataFiles.ts"

const header = ["index", "image", "question", "A", "B", "answer"]
const image = (letter: string) => letter.repeat(80)

/** Reads a file of that content as MMStar's, or flips the error. */
const reading = (content: string | Uint8Array, options: ReadOptions = {}, benchmark = mmStar) =>
  Effect.gen(function* () {
    const file = fileIn(yield* temporaryDirectory, "data.tsv", content)
    return yield* readDataFile(file, benchmark, options)
  })
const messageOf = (content: string | Uint8Array, options: ReadOptions = {}, benchmark = mmStar) =>
  Effect.map(Effect.flip(reading(content, options, benchmark)), (error) => `${error._tag}: ${error.message}`)

describe("readDataFile", () => {
  it.effect("rows, typed cells and digests", () =>
    Effect.gen(function* () {
      const content = tsvOf(header, [
        ["1", image("a"), 'one\n"two"', "1", "x", "A"],
        ["2", image("b"), "three", "", "None", "B"]
      ])
      const data = yield* reading(content)
      assert.deepStrictEqual(
        data.rows.map(({ row, index }) => [row, index]),
        [
          [1, "1"],
          [2, "2"]
        ]
      )
      // Option A is a numeric column with a missing cell, so pandas makes it 1.0; None and empty cells are missing.
      assert.deepStrictEqual(Object.fromEntries(data.rows[0]!.cells), {
        index: "1",
        question: 'one\n"two"',
        A: "1.0",
        B: "x",
        answer: "A"
      })
      assert.deepStrictEqual(Object.fromEntries(data.rows[1]!.cells), { index: "2", question: "three", answer: "B" })
      assert.deepStrictEqual(
        data.rows.map(({ takenForMissing }) => takenForMissing),
        [undefined, new Set(["B"])]
      )
      assert.strictEqual(data.md5, createHash("md5").update(content).digest("hex"))
      assert.strictEqual(data.sha256, createHash("sha256").update(content).digest("hex"))
      assert.deepStrictEqual(Array.from(data.numeric), ["index", "A"])
      assert.strictEqual(data.bytes, Buffer.byteLength(content))
    })
  )

  it.effect("a byte order mark, with and without quotes behind it, and CR LF", () =>
    Effect.gen(function* () {
      for (const first of ["index", '"index"']) {
        const data = yield* reading(`\ufeff${first}\timage\tquestion\tA\tB\tanswer\r\n1\t${image("a")}\tq\tx\ty\tA\r\n`)
        assert.deepStrictEqual(data.columns, header)
        assert.strictEqual(data.rows[0]!.cells.get("answer"), "A")
      }
    })
  )

  it.effect("rows without an image are dropped, references share the image of another row", () =>
    Effect.gen(function* () {
      const content = tsvOf(header, [
        ["1", image("a"), "q", "x", "y", "A"],
        ["2", "", "q", "x", "y", "A"],
        ["3", "1", "q", "x", "y", "A"],
        ["4", "NA", "q", "x", "y", "A"]
      ])
      const data = yield* reading(content)
      assert.deepStrictEqual(
        data.rows.map((row) => row.index),
        ["1", "3"]
      )
      assert.strictEqual(data.dropped, 2)
      assert.deepStrictEqual(data.rows[1]!.image, data.rows[0]!.image)
      const at = data.rows[0]!.image
      assert.ok(at.kind === "cell")
      assert.strictEqual(content.slice(at.start, at.end), `"${image("a")}"`)
    })
  )

  it.effect("64 characters are a reference, 65 an image, counted as characters", () =>
    Effect.gen(function* () {
      const rows = (cell: string) => tsvOf(header, [["1", cell, "q", "x", "y", "A"]])
      assert.match(
        yield* messageOf(rows("é".repeat(64))),
        /^RowInvalid: .*row 1 \(index 1\), column "image": "é{64}" is too short for an image/
      )
      assert.strictEqual((yield* reading(rows("é".repeat(65)))).rows.length, 1)
      assert.match(yield* messageOf(rows("a".repeat(64))), /is not the index of a row that has one/)
      assert.strictEqual((yield* reading(rows("a".repeat(65)))).rows.length, 1)
    })
  )

  it.effect("a reference to a reference, or to a dropped row, is an error", () =>
    Effect.gen(function* () {
      const rows = (second: string) =>
        tsvOf(header, [
          ["1", "2", "q", "x", "y", "A"],
          ["2", second, "q", "x", "y", "A"],
          ["3", image("a"), "q", "x", "y", "A"]
        ])
      assert.match(yield* messageOf(rows("3")), /row 1 \(index 1\), column "image": "2" is too short/)
      assert.match(yield* messageOf(rows("")), /row 1 \(index 1\), column "image": "2" is too short/)
    })
  )

  it.effect("image_path instead of image: one path or a list", () =>
    Effect.gen(function* () {
      const content = tsvOf(
        ["index", "image_path", "question", "A", "B", "answer"],
        [
          ["a", "x/1.png", "q", "x", "y", "A"],
          ["b", "['1.png', \"2.png\"]", "q", "x", "y", "A"],
          ["c", "", "q", "x", "y", "A"]
        ]
      )
      const { rows } = yield* reading(content)
      assert.deepStrictEqual(
        rows.map((row) => row.image),
        [{ kind: "files", paths: ["x/1.png"] }, { kind: "files", paths: ["1.png", "2.png"] }, { kind: "none" }]
      )
      const bad = tsvOf(["index", "image_path", "question", "A", "B", "answer"], [["a", "[1]", "q", "x", "y", "A"]])
      assert.match(yield* messageOf(bad), /row 1 \(index a\), column "image_path": not a Python list of strings/)
    })
  )

  it.effect("a missing column is named, questions and images only where they are needed", () =>
    Effect.gen(function* () {
      const without = (...names: readonly string[]) =>
        tsvOf(
          header.filter((name) => !names.includes(name)),
          []
        )
      assert.match(
        yield* messageOf(without("answer")),
        /^ColumnMissing: .*data\.tsv: no column "answer", which MMStar needs; the file has index, image, question, A, B$/
      )
      assert.match(yield* messageOf(without("question")), /no column "question"/)
      assert.match(yield* messageOf(without("image")), /no column "image"/)
      assert.strictEqual((yield* reading(without("question", "image"), { purpose: "score" })).rows.length, 0)
      assert.match(yield* messageOf(without(), {}, ocrBench), /no column "category", which OCRBench needs/)
    })
  )

  it.effect("what is no table", () =>
    Effect.gen(function* () {
      assert.match(yield* messageOf(""), /^TableInvalid: .*data\.tsv: empty; a TSV file with a header row was expected/)
      assert.match(yield* messageOf("index\tindex\n"), /column "index" appears twice/)
      assert.match(yield* messageOf(Uint8Array.of(0xff, 0xfe, 10)), /^TableInvalid: .*the header is not valid UTF-8/)
      const directory = yield* temporaryDirectory
      const missing = yield* Effect.flip(readDataFile(join(directory, "no.tsv"), mmStar))
      assert.strictEqual(missing._tag, "DataFileMissing")
      assert.match(missing.message, /no\.tsv: no such file; MMStar is published at https:.*\/VLMEval\/MMStar\.tsv$/)
      assert.match(
        (yield* Effect.flip(readDataFile(directory, mmStar))).message,
        /cannot open: it is not a regular file, but a directory/
      )
    })
  )

  it.effect("bad rows are named with file, row and column", () =>
    Effect.gen(function* () {
      const good = `1\t${image("a")}\tq\tx\ty\tA\n`
      const head = `${header.join("\t")}\n`
      assert.match(
        yield* messageOf(`${head}${good}2\tq\n`),
        /^RowInvalid: .*data\.tsv, row 2: 2 cells on line 3, the header has 6$/
      )
      assert.match(
        yield* messageOf(`${head}${good}2\t"${image("b")}`),
        /row 2, column "image": the file ends inside a quoted cell/
      )
      const bytes = Buffer.concat([Buffer.from(`${head}1\t${image("a")}\tq`), Uint8Array.of(0xc3, 10)])
      assert.match(yield* messageOf(bytes), /row 1: 3 cells/)
      const broken = Buffer.concat([
        Buffer.from(`${head}1\t${image("a")}\t`),
        Uint8Array.of(0xc3),
        Buffer.from("\tx\ty\tA\n")
      ])
      assert.match(yield* messageOf(broken), /row 1, column "question": not valid UTF-8/)
      assert.match(
        yield* messageOf(`${head}${good}${good}`),
        /row 2 \(index 1\), column "index": row 1 has the same index/
      )
      assert.match(
        yield* messageOf(`${head}${good.replace("1\t", "\t")}`),
        /row 1, column "index": the cell is missing/
      )
      assert.match(
        yield* messageOf(`${head}${good.replace("q", "nan")}`),
        /row 1 \(index 1\), column "question": the cell is missing/
      )
    })
  )

  it.effect("a base64 bomb and an endless cell are refused, not read", () =>
    Effect.gen(function* () {
      const rows = tsvOf(header, [["1", "A".repeat(5000), "q", "x", "y", "A"]])
      assert.match(
        yield* messageOf(rows, { maxImageCell: 4999 }),
        /row 1, column "image": 5000 bytes of encoded image, more than the 4999 allowed/
      )
      assert.strictEqual((yield* reading(rows, { maxImageCell: 5000 })).rows.length, 1)
      const two = tsvOf(
        header,
        ["1", "2"].map((index) => [index, image("a"), "q", "x", "y", "A"])
      )
      const long = tsvOf(header, [["1", image("a"), "q".repeat(101), "x", "y", "A"]])
      assert.match(yield* messageOf(two, { maxRows: 1 }), /row 2: more than the 1 rows that are read of a table/)
      assert.match(
        yield* messageOf(two, { maxText: 6 }),
        /row 2, column "question": its cells and those before it have more than the 6 bytes/
      )
      const wide = yield* messageOf("\t".repeat(20_000))
      assert.match(wide, /row 1: a row has more than the 16384 cells that are read of one; the row starts on line 1/)
      assert.match(
        yield* messageOf(long, { maxCell: 100 }),
        /row 1, column "question": a cell is longer than 100 bytes \(an unclosed quote\?\)/
      )
    })
  )

  it.effect("indexes become text as pandas prints them", () =>
    Effect.gen(function* () {
      const rows = (...indexes: readonly string[]) =>
        tsvOf(
          header,
          indexes.map((index) => [index, image("a"), "q", "x", "y", "A"])
        )
      assert.deepStrictEqual(
        (yield* reading(rows("007", "8"), {}, mmbenchDevEnV11)).rows.map((row) => row.index),
        ["7", "8"]
      )
      assert.deepStrictEqual(
        (yield* reading(rows("007", "a"))).rows.map((row) => row.index),
        ["007", "a"]
      )
    })
  )

  it.effect("a large file is streamed: memory stays far below its size", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const file = join(directory, "large.tsv")
      const handle = openSync(file, "w")
      writeSync(handle, `${header.join("\t")}\n`)
      const cell = "A".repeat(2 ** 22)
      for (let i = 0; i < 60; i++) writeSync(handle, `${i}\t"${cell}"\tq ${i}\tx\ty\tA\n`)
      closeSync(handle)
      const before = process.memoryUsage()
      const data = yield* readDataFile(file, mmStar)
      const after = process.memoryUsage()
      assert.strictEqual(data.rows.length, 60)
      assert.ok(data.bytes > 60 * 2 ** 22)
      // 240 MiB of file; the heap keeps rows only.
      assert.isBelow(after.heapUsed - before.heapUsed, 2 ** 25)
      assert.strictEqual(data.rows[59]!.cells.get("question"), "q 59")
    })
  )
})
