import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as fc from "fast-check"
import { readXlsx, writeXlsx } from "hucre/xlsx"
import { assert } from "vitest"
import { mmStar } from "../src/benchmarks/MmStar.ts"
import { readDataFile } from "../src/data/DataFile.ts"
import { readPredictions } from "../src/predictions/readPredictions.ts"
import { predictionFormats, writePredictions } from "../src/predictions/writePredictions.ts"
import { score } from "../src/scoring/Score.ts"
import { fileIn, temporaryDirectory, tsvOf } from "./dataFiles.ts"
import { rowOf } from "./rows.ts"

const header = ["index", "image", "question", "A", "B", "answer", "weight"]
const image = "a".repeat(80)

/** Writes these texts as the predictions of rows 1, 2, ...; gives the file, and what was cut. */
const written = (texts: readonly string[], format: string, extra: readonly string[] = []) =>
  Effect.gen(function* () {
    const directory = yield* temporaryDirectory
    const rows = texts.map((_, i) => [String(i + 1), image, '=1+1 "q"', "x\ty", "", "A", extra[i] ?? "2"])
    const data = yield* readDataFile(fileIn(directory, "data.tsv", tsvOf(header, rows)), mmStar)
    const file = join(directory, `model_MMStar.${format}`)
    const predictions = new Map(texts.map((text, i) => [String(i + 1), text]))
    const cut = yield* writePredictions(file, data, data.rows, predictions)
    return { file, cut, directory }
  })
const readBack = (texts: readonly string[], format: string) =>
  Effect.gen(function* () {
    const { file } = yield* written(texts, format)
    return (yield* readPredictions(file)).map(({ prediction }) => prediction)
  })

const awkward = [
  ...[
    "A",
    "a\nb",
    "tab\there",
    'say "hi"',
    "=SUM(A1)",
    "+1",
    "@x",
    " lead",
    "trail ",
    "  ",
    "constructor",
    "__proto__"
  ],
  ...[
    "_x0041_",
    "_x000D_",
    "é中文😀",
    "<b>&amp;</b>",
    "]]>",
    "\u3000x",
    "http://example.org/a",
    "'q",
    "true story",
    "\u007f"
  ]
]

describe("predictions files", () => {
  for (const format of predictionFormats) {
    it.effect(`${format}: texts survive as they are`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* readBack(awkward, format), awkward)
      })
    )
  }

  for (const format of ["xlsx", "tsv"]) {
    it.effect(`${format}: empty and missing texts come back as nan, a numeric column as numbers`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* readBack(["", "A", "None", "N/A", "nan"], format), [
          "nan",
          "A",
          "nan",
          "nan",
          "nan"
        ])
        assert.deepStrictEqual(yield* readBack(["1", "2"], format), ["1", "2"])
        assert.deepStrictEqual(yield* readBack(["1.0", "2"], format), ["1.0", "2.0"])
        assert.deepStrictEqual(yield* readBack(["1", ""], format), ["1.0", "nan"])
        assert.deepStrictEqual(yield* readBack(["007", " 8"], format), ["7", "8"])
        assert.deepStrictEqual(yield* readBack(["1", "two"], format), ["1", "two"])
        assert.deepStrictEqual(yield* readBack(["true", "FALSE"], format), ["True", "False"])
      })
    )
  }

  it.effect("json keeps texts, empty ones too", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* readBack(["", "None", "1.0", "007"], "json"), ["", "None", "1.0", "007"])
    })
  )

  it.effect("xlsx: carriage returns and control characters come back as pandas sees them", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* readBack(["a\r\nb", "x\u0001y"], "xlsx"), ["a_x000D_\nb", "x_x0001_y"])
      assert.deepStrictEqual(yield* readBack(["a\r\nb", "x\u0001y"], "tsv"), ["a\r\nb", "x\u0001y"])
    })
  )

  it.effect("all columns but image, in order, then prediction; numbers as numbers, the rest as text", () =>
    Effect.gen(function* () {
      const { file } = yield* written(["=A", "B"], "xlsx", ["2.5", "3"])
      const book = yield* Effect.promise(() => readXlsx(readFileSync(file)))
      const rows = book.sheets[0]!.rows
      assert.deepStrictEqual(rows[0], ["index", "question", "A", "B", "answer", "weight", "prediction"])
      assert.deepStrictEqual(rows[1], [1, '=1+1 "q"', "x\ty", null, "A", 2.5, "=A"])
      const tsv = yield* written(['say "x"\n', "B"], "tsv", ["2.5", "3"])
      assert.strictEqual(
        readFileSync(tsv.file, "utf8"),
        '"index"\t"question"\t"A"\t"B"\t"answer"\t"weight"\t"prediction"\n' +
          '"1"\t"=1+1 ""q"""\t"x\ty"\t""\t"A"\t"2.5"\t"say ""x""\n"\n' +
          '"2"\t"=1+1 ""q"""\t"x\ty"\t""\t"A"\t"3.0"\t"B"\n'
      )
      const json = yield* written(["x", "y"], "json", ["2.5", "3"])
      const text = readFileSync(json.file, "utf8")
      assert.deepStrictEqual(JSON.parse(text)[1], {
        index: 2,
        question: '=1+1 "q"',
        A: "x\ty",
        B: null,
        answer: "A",
        weight: 3,
        prediction: "y"
      })
      assert.match(text, /"weight": 3\.0,/)
    })
  )

  it.effect("xlsx: 32767 characters fit, longer texts are cut and reported", () =>
    Effect.gen(function* () {
      const texts = ["x".repeat(32_767), "y".repeat(32_768), `${"z".repeat(32_766)}😀`]
      const { file, cut } = yield* written(texts, "xlsx")
      assert.deepStrictEqual(cut, [
        { index: "2", column: "prediction", length: 32_768 },
        { index: "3", column: "prediction", length: 32_768 }
      ])
      const back = yield* readPredictions(file)
      assert.deepStrictEqual(
        back.map(({ prediction }) => prediction.length),
        [32_767, 32_767, 32_766]
      )
      assert.deepStrictEqual((yield* written(texts, "tsv")).cut, [])
      assert.deepStrictEqual(yield* readBack(texts, "tsv"), texts)
    })
  )

  it.effect("any texts survive tsv and json; xlsx too but for what pandas itself changes", () =>
    Effect.gen(function* () {
      const text = fc.string({ unit: "binary-ascii", maxLength: 20 }).map((t) => `x${t}`)
      const samples = fc.sample(fc.array(text, { minLength: 1, maxLength: 8 }), { seed: 21, numRuns: 12 })
      for (const texts of samples) {
        assert.deepStrictEqual(yield* readBack(texts, "tsv"), texts)
        assert.deepStrictEqual(yield* readBack(texts, "json"), texts)
        const escaped = texts.map((t) =>
          t.replace(/[\0-\x08\x0b-\x1f]/g, (c) => `_x${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}_`)
        )
        assert.deepStrictEqual(yield* readBack(texts, "xlsx"), escaped)
      }
    })
  )
})

describe("indexes", () => {
  /** Writes the predictions of the first `rows` rows of a data file with these indexes, reads them and scores them. */
  const found = (indexes: readonly string[], format: string, rows = indexes.length) =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const cells = indexes.map((index) => [index, image, "q", "x", "y", "A", "2"])
      const data = yield* readDataFile(fileIn(directory, "data.tsv", tsvOf(header, cells)), mmStar)
      const asked = data.rows.slice(0, rows)
      const file = join(directory, `p.${format}`)
      yield* writePredictions(file, data, asked, new Map(asked.map(({ index }) => [index, "A"])))
      const { counts } = yield* score(mmStar, data.rows, yield* readPredictions(file), { file })
      return counts.answered
    })

  for (const format of predictionFormats) {
    it.effect(`${format}: are found again, whatever is in them, and whichever rows were asked`, () =>
      Effect.gen(function* () {
        const columns = [
          ["1.0", "2.0"],
          ["1.5", "2.0"],
          ["007", "7", "x"],
          ["true", "x"],
          ["1e5", "x"],
          ["a\u0001b", "c\u001f", "_x0001_", "d\r\ne", "\u007f"],
          ["9007199254740993", "2"],
          ["123456789012345678901234567890", "2"]
        ]
        for (const column of columns) {
          assert.strictEqual(yield* found(column, format), column.length, JSON.stringify(column))
          assert.strictEqual(yield* found(column, format, 1), 1, `the first of ${JSON.stringify(column)}`)
        }
      })
    )
  }

  it.effect("a number in a sheet is the index that has its text", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const sheet = (...indexes: readonly (string | number)[]) => {
        const rows = indexes.map((index) => [index, "A"])
        return Effect.promise(() => writeXlsx({ sheets: [{ name: "s", rows: [["index", "prediction"], ...rows] }] }))
      }
      const predictions = yield* readPredictions(fileIn(directory, "p.xlsx", yield* sheet(1, "02", "x")))
      const rows = ["1.0", "2.0", "x"].map((index) => rowOf({ index, A: "x", answer: "A" }))
      assert.strictEqual((yield* score(mmStar, rows, predictions)).counts.answered, 3)
      const twice = yield* readPredictions(fileIn(directory, "twice.xlsx", yield* sheet(1, "1.0")))
      assert.strictEqual((yield* Effect.flip(score(mmStar, rows, twice)))._tag, "PredictionDuplicate")
      // Where the data file tells them apart, neither is guessed.
      const apart = ["01", "1"].map((index) => rowOf({ index, A: "x", answer: "A" }))
      const foreign = yield* readPredictions(fileIn(directory, "foreign.xlsx", yield* sheet("001")))
      assert.strictEqual((yield* Effect.flip(score(mmStar, apart, foreign)))._tag, "PredictionForeign")
    })
  )
})

describe("predictions files made elsewhere", () => {
  const reading = (name: string, content: string | Uint8Array) =>
    Effect.gen(function* () {
      return yield* readPredictions(fileIn(yield* temporaryDirectory, name, content))
    })
  const messageOf = (name: string, content: string | Uint8Array) =>
    Effect.map(Effect.flip(reading(name, content)), (error) => `${error._tag}: ${error.message}`)
  const workbook = (rows: readonly (readonly (string | number | boolean | null | Date)[])[]) =>
    Effect.promise(() => writeXlsx({ sheets: [{ name: "s", rows: rows.map((row) => [...row]) }] }))

  it.effect("column names in any case; numbers of a sheet print as pandas prints them", () =>
    Effect.gen(function* () {
      const sheet = yield* workbook([
        ["Index", "Prediction"],
        [1, 3],
        [2, "A"],
        [3, 1.5],
        [4, true],
        [5, null]
      ])
      assert.deepStrictEqual(yield* reading("p.xlsx", sheet), [
        { index: "1", prediction: "3" },
        { index: "2", prediction: "A" },
        { index: "3", prediction: "1.5" },
        { index: "4", prediction: "True" },
        { index: "5", prediction: "nan" }
      ])
      const numbers = yield* workbook([
        ["index", "prediction"],
        [1, 3],
        [2, null]
      ])
      assert.deepStrictEqual(
        (yield* reading("p.xlsx", numbers)).map((p) => p.prediction),
        ["3.0", "nan"]
      )
    })
  )

  it.effect("json as records, as columns and split, with Python's NaN", () =>
    Effect.gen(function* () {
      const records =
        '[{"index": 1, "prediction": "NaN, \\"NaN\\" 1.0"}, {"index": 2, "prediction": NaN}, {"index": 3, "prediction": 1.0}, {"index": 4}]'
      assert.deepStrictEqual(
        (yield* reading("p.json", records)).map((p) => p.prediction),
        ['NaN, "NaN" 1.0', "nan", "1.0", "nan"]
      )
      const expected = [
        { index: "a", prediction: "x" },
        { index: "b", prediction: "12" }
      ]
      for (const table of [
        '{"index": ["a", "b"], "prediction": ["x", 12]}',
        '{"index": {"0": "a", "1": "b"}, "prediction": {"0": "x", "1": 12}}',
        '{"columns": ["index", "prediction"], "data": [["a", "x"], ["b", 12]]}'
      ]) {
        assert.deepStrictEqual(yield* reading("p.json", table), expected)
      }
    })
  )

  it.effect("what is missing or broken is named", () =>
    Effect.gen(function* () {
      assert.match(
        yield* messageOf("p.tsv", "index\tquestion\n1\tq\n"),
        /^ColumnMissing: .*p\.tsv: no column "prediction", which scoring needs; the file has index, question$/
      )
      assert.match(
        yield* messageOf("p.tsv", "index\tprediction\n\tA\n"),
        /^RowInvalid: .*p\.tsv, row 1, column "index": the cell is missing/
      )
      assert.match(
        yield* messageOf("p.csv", "index,prediction\n"),
        /^TableInvalid: .*p\.csv: the ending must be one of \.xlsx, \.tsv, \.json/
      )
      assert.match(yield* messageOf("p.xlsx", "no zip"), /^TableInvalid: .*p\.xlsx: not an xlsx sheet that can be read/)
      assert.match(
        yield* messageOf("p.xlsx", yield* workbook([])),
        /^TableInvalid: .*p\.xlsx: the first sheet is empty/
      )
      assert.match(
        yield* messageOf(
          "p.xlsx",
          yield* workbook([
            ["index", "prediction"],
            [1, new Date(0)]
          ])
        ),
        /a cell holds a date/
      )
      assert.match(yield* messageOf("p.json", "{"), /^TableInvalid: .*p\.json: not a table in JSON/)
      // With many escaped quotes, which each could begin a text of its own.
      const cut = `[{"index": 0, "prediction": "${'\\"a'.repeat(100_000)}`
      assert.match(
        yield* messageOf("p.json", cut),
        /p\.json: not a table in JSON: Unterminated string in JSON at position \d+/
      )
      const others = Array.from({ length: 50_000 }, (_, i) => ({ [`column ${i}`]: i }))
      assert.match(yield* messageOf("p.json", JSON.stringify(others)), /^ColumnMissing/)
      const noList = JSON.stringify({ columns: ["index", "prediction"], data: [[1, "a"], null] })
      assert.match(yield* messageOf("p.json", noList), /row 2 of its data is not a list/)
      const deep = `[{"index": 0, "prediction": ${"[".repeat(100_000)}${"]".repeat(100_000)}}]`
      assert.match(yield* messageOf("p.json", deep), /values are nested deeper than 100/)
      assert.match(yield* messageOf("p.json", "3"), /neither a list of records nor an object of columns/)
      assert.match(yield* messageOf("p.json", "[3]"), /record 1 is not an object/)
      assert.match(
        yield* messageOf("p.json", '{"index": [1], "prediction": []}'),
        /column "prediction" has 0 rows, not 1/
      )
      assert.match(yield* messageOf("p.json", '{"index": 1}'), /column "index" is neither a list nor an object/)
      const missing = yield* Effect.flip(readPredictions(join(yield* temporaryDirectory, "none.xlsx")))
      assert.match(missing.message, /none\.xlsx: cannot read: ENOENT/)
    })
  )
})
