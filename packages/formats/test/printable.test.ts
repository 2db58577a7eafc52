import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { printable, printableJson, printableLine } from "../src/index.ts"

/** Red letters, a title, a cleared line, the C1 form of ESC [, text that runs backwards. */
const hostile = "\u001b[31mred \u001b]0;title\u0007 \r \u009b2J \u202eabc \u2066x"

describe("text for a terminal", () => {
  it("has no character that steers it, and is otherwise as it was", () => {
    assert.strictEqual(printable(hostile), "\ufffd[31mred \ufffd]0;title\ufffd \ufffd \ufffd2J \ufffdabc \ufffdx")
    assert.strictEqual(printable("one\ttwo\r\nthree\n中文 é 😀 ‏"), "one\ttwo\nthree\n中文 é 😀 ‏")
  })

  it("is one line where a line is wanted", () => {
    assert.strictEqual(printableLine("a\r\n  b\t\t\u001bc\u2028d"), "a   b \ufffdc d")
  })

  it("in JSON stays the same value", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const json = printableJson(JSON.stringify({ text, hostile }, undefined, 2))
        assert.deepStrictEqual(JSON.parse(json), { text, hostile })
        assert.strictEqual(printable(json), json)
      }),
      { seed: 1, numRuns: 200 }
    )
  })
})
