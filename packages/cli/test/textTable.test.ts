import { assert, it } from "vitest"
import { textTable } from "../src/textTable.ts"

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
