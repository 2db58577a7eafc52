import { assert, it } from "vitest"
import { markdownTable } from "../src/report/markdown.ts"

it("writes a table as Markdown, its note below", () => {
  const table = {
    _tag: "Table",
    title: "Scores",
    columns: ["variant", "a|b", "n"],
    rows: [["x", "1.0 ± 0.1", 2], ["y"]],
    note: "In percent."
  } as const
  assert.strictEqual(
    markdownTable(table),
    "**Scores**\n\n| variant | a\\|b | n |\n|---|---|---|\n| x | 1.0 ± 0.1 | 2 |\n| y |  |  |\n\nIn percent."
  )
})
