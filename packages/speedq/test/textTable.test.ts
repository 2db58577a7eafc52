import { assert, it } from "vitest"
import { fittingTable, textTable } from "../src/command/textTable.ts"

it("aligns numbers to the right and wide characters by their width", () => {
  const table = textTable(
    ["model", "score", "note"],
    [
      ["full", "97.5 ± 0.2", "ok"],
      ["数字", 3, "longer note"]
    ]
  )
  assert.deepStrictEqual(table.split("\n"), [
    "model       score  note",
    "full   97.5 ± 0.2  ok",
    "数字            3  longer note"
  ])
})

it("exchanges rows and columns where only that fits", () => {
  const columns = ["model", "a long name", "another long name"]
  const rows = [["x", "1.0 ± 0.1", 2]]
  assert.strictEqual(fittingTable(columns, rows, 60), textTable(columns, rows))
  assert.deepStrictEqual(fittingTable(columns, rows, 30).split("\n"), [
    "model                      x",
    "a long name        1.0 ± 0.1",
    "another long name          2"
  ])
  const tall = [
    ["x", 1],
    ["y", 2],
    ["z", 3]
  ] as const
  assert.strictEqual(fittingTable(["model", "n"], tall, 2), textTable(["model", "n"], tall))
})
