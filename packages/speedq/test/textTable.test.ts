import { assert, it } from "vitest"
import { fittingTable, textTable } from "../src/command/textTable.ts"
import { shown, toned, untoned } from "../src/command/tones.ts"

it("aligns numbers to the right and wide characters by their width", () => {
  const table = textTable(
    ["model", "score", "note"],
    [
      ["full", "97.5 ± 0.2", "ok"],
      ["数字", 3, "longer note"]
    ]
  )
  assert.deepStrictEqual(untoned(table).split("\n"), [
    "model       score  note",
    "full   97.5 ± 0.2  ok",
    "数字            3  longer note"
  ])
})

it("exchanges rows and columns where only that fits", () => {
  const columns = ["model", "a long name", "another long name"]
  const rows = [["x", "1.0 ± 0.1", 2]]
  assert.strictEqual(fittingTable(columns, rows, 60), textTable(columns, rows))
  assert.deepStrictEqual(untoned(fittingTable(columns, rows, 30)).split("\n"), [
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

it("stands in parts where neither way fits, whichever way takes fewer lines", () => {
  const columns = ["model", "first", "second", "third"]
  const rowsOf = (...names: readonly string[]) =>
    names.map((name) => [name, "10.0 (9-11)", "20.0 (19-21)", "30.0 (29-31)"])
  const lines = (rows: ReturnType<typeof rowsOf>) => untoned(fittingTable(columns, rows, 34)).split("\n")
  assert.deepStrictEqual(lines(rowsOf("alpha", "beta", "gamma", "delta")), [
    "model          alpha          beta",
    "first    10.0 (9-11)   10.0 (9-11)",
    "second  20.0 (19-21)  20.0 (19-21)",
    "third   30.0 (29-31)  30.0 (29-31)",
    "",
    "model          gamma         delta",
    "first    10.0 (9-11)   10.0 (9-11)",
    "second  20.0 (19-21)  20.0 (19-21)",
    "third   30.0 (29-31)  30.0 (29-31)"
  ])
  const tall = lines(rowsOf("a", "b", "c", "d", "e", "f", "g", "h"))
  assert.deepStrictEqual(
    tall.filter((line) => /^(model|h|$)/.test(line)),
    [
      "model        first        second",
      "h      10.0 (9-11)  20.0 (19-21)",
      "",
      "model         third",
      "h      30.0 (29-31)"
    ]
  )
})

it("shows tones as colours where there are some, and lets nothing else steer the terminal", () => {
  const said = `${toned("bad", "no")} and ${toned("good", "yes")} \u001b[31m`
  assert.strictEqual(shown(said, true), "\u001b[31mno\u001b[39m and \u001b[32myes\u001b[39m \ufffd[31m")
  assert.strictEqual(shown(said, false), "no and yes \ufffd[31m")
  // A mark that somebody else's text brings is left out.
  assert.strictEqual(shown("a\ufdd0b\ufdd4\ufdd4c", true), "a\u001b[32mb\u001b[39mc")
  const table = textTable(
    ["name", "n"],
    [
      [toned("careful", "stale"), 1],
      ["finished", 20]
    ]
  )
  assert.strictEqual(shown(table, false), ["name       n", "stale      1", "finished  20"].join("\n"))
  assert.match(shown(table, true), /^\u001b\[1mname {7}n\u001b\[22m\n\u001b\[33mstale\u001b\[39m {6}1\n/)
})
