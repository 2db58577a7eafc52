import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { multilingual } from "./multilingual.ts"
import { qwen } from "./qwen.ts"

describe("StreamDecoder", () => {
  it("gives the decoded text in pieces that split no character", () => {
    fc.assert(
      fc.property(multilingual, fc.array(fc.nat(151673), { maxLength: 10 }), (text, noise) => {
        for (const skipSpecial of [false, true]) {
          const stream = qwen.stream({ skipSpecial })
          const ids = [...qwen.encode(text), ...noise]
          const pieces = [...ids.map((id) => stream.push(id)), stream.flush()]
          assert.strictEqual(pieces.join(""), qwen.decode(ids, { skipSpecial }))
          for (const piece of pieces) assert.notMatch(piece, /[\ud800-\udbff]$|^[\udc00-\udfff]/)
        }
      }),
      { seed: 25, numRuns: 500 }
    )
  })

  it("holds a character back until its last byte has come", () => {
    const ids = [...qwen.encode("\u{1F9A9}")]
    assert.isAbove(ids.length, 1)
    const stream = qwen.stream()
    assert.deepEqual(
      ids.map((id) => stream.push(id)),
      [...ids.slice(1).map(() => ""), "\u{1F9A9}"]
    )
    assert.strictEqual(stream.flush(), "")
  })

  it("ends a character that never came with U+FFFD and can be used again", () => {
    const [first] = qwen.encode("\u{1F9A9}")
    const stream = qwen.stream()
    assert.strictEqual(stream.push(first!), "")
    assert.strictEqual(stream.flush(), "\ufffd")
    assert.strictEqual(stream.push(0), "!")
  })
})
