import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { RecordError, recordReader } from "../src/internal/recordReader.ts"

/** All records as text, the input cut into pieces at the given places. */
const read = (text: string, cuts: readonly number[] = [], limit = 1e6) => {
  const bytes = Buffer.from(text)
  const records: string[][] = []
  const ranges: string[][] = []
  const lines: number[] = []
  const reader = recordReader({
    keep: () => ({ bytes: limit, fail: true }),
    onRecord: ({ cells, line }) => {
      records.push(cells.map((cell) => Buffer.from(cell.bytes).toString()))
      ranges.push(cells.map((cell) => bytes.subarray(cell.start, cell.end).toString()))
      lines.push(line)
    }
  })
  let from = 0
  for (const cut of [...cuts, bytes.length]) {
    reader.push(bytes.subarray(from, cut))
    from = cut
  }
  reader.end()
  return { records, ranges, lines }
}

describe("recordReader", () => {
  const cases: readonly (readonly [what: string, text: string, records: readonly (readonly string[])[]])[] = [
    [
      "plain cells",
      "a\tb\n1\t2\n",
      [
        ["a", "b"],
        ["1", "2"]
      ]
    ],
    [
      "no line end at the end",
      "a\tb\n1\t2",
      [
        ["a", "b"],
        ["1", "2"]
      ]
    ],
    [
      "CR LF and a lone CR",
      "a\tb\r\n1\t2\r3\t4",
      [
        ["a", "b"],
        ["1", "2"],
        ["3", "4"]
      ]
    ],
    ["doubled quotes", '"say ""hi"""\tb', [['say "hi"', "b"]]],
    ["separators and line ends in quotes", '"a\tb\nc\r\nd"\te', [["a\tb\nc\r\nd", "e"]]],
    ["quotes inside a plain cell are text", 'a"b"\t5"', [['a"b"', '5"']]],
    ["text after the closing quote", '"a"b"c\td', [['ab"c', "d"]]],
    ["empty cells", '\t""\t\n', [["", "", ""]]],
    ["empty and blank lines are skipped", "a\n\n  \n\r\nb", [["a"], ["b"]]],
    ["a quoted empty line is a record", '""\n', [[""]]],
    ["nothing", "", []]
  ]
  for (const [what, text, records] of cases) it(what, () => assert.deepStrictEqual(read(text).records, records))

  it("gives the byte range of every cell, quotes included, and the line of every record", () => {
    const { ranges, lines } = read('é\t"a\nb"\n"中"\tx\n')
    assert.deepStrictEqual(ranges, [
      ["é", '"a\nb"'],
      ['"中"', "x"]
    ])
    assert.deepStrictEqual(lines, [1, 3])
  })

  it("an unclosed quote is an error with the line on which its row starts", () => {
    try {
      read('a\tb\n1\t2\n3\t"4\n5\t6\n')
      assert.fail("no error")
    } catch (error) {
      assert.instanceOf(error, RecordError)
      assert.deepStrictEqual([error.line, error.column], [3, 1])
      assert.match(error.message, /ends inside a quoted cell/)
    }
  })

  it("a cell longer than its limit is an error", () => {
    assert.throws(() => read("abcdef\tb", [3], 5), RecordError, /longer than 5 bytes/)
    assert.deepStrictEqual(read("abcde\tb", [3], 5).records, [["abcde", "b"]])
  })

  const cell = fc.string({
    unit: fc.constantFrom('"', "\t", "\n", "\r", "\r\n", " ", "a", "é", "中", "😀"),
    maxLength: 6
  })
  const table = fc
    .integer({ min: 1, max: 4 })
    .chain((width) => fc.array(fc.array(cell, { minLength: width, maxLength: width }), { minLength: 1, maxLength: 5 }))

  it("reads back any quoted table, however it is cut into pieces", () => {
    fc.assert(
      fc.property(table, fc.array(fc.nat()), (rows, places) => {
        const text = rows.map((cells) => `${cells.map((c) => `"${c.replaceAll('"', '""')}"`).join("\t")}\n`).join("")
        const size = Buffer.byteLength(text)
        const cuts = places.map((place) => place % (size + 1)).sort((a, b) => a - b)
        assert.deepStrictEqual(read(text, cuts).records, rows)
      }),
      { seed: 11, numRuns: 300 }
    )
  })

  it("any text gives the same records, however it is cut into pieces", () => {
    fc.assert(
      fc.property(
        cell.chain((a) => cell.map((b) => a + b)),
        fc.nat(),
        (text, place) => {
          const attempt = (cuts: readonly number[]) => {
            try {
              return read(text, cuts)
            } catch (error) {
              return String(error)
            }
          }
          assert.deepStrictEqual(attempt([place % (Buffer.byteLength(text) + 1)]), attempt([]))
        }
      ),
      { seed: 12, numRuns: 500 }
    )
  })
})
