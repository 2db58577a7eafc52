import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { JsonCursor, JsonUnexpected } from "../src/json/JsonCursor.ts"

const skip = (text: string) => {
  const cursor = new JsonCursor(text)
  cursor.skip()
  cursor.end()
}
const refuses = (text: string, reason: string) => assert.throws(() => skip(text), JsonUnexpected, reason)

describe("JsonCursor", () => {
  it("accepts whatever JSON.stringify writes, and gives strings as JSON.parse does", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(0, 1, "\t"), (value, indent) => {
        skip(JSON.stringify(value, null, indent))
      }),
      { seed: 11, numRuns: 500 }
    )
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
        assert.strictEqual(new JsonCursor(` ${JSON.stringify(text)}`).string(), text)
      }),
      { seed: 11, numRuns: 500 }
    )
  })

  it("refuses what JSON.parse refuses", () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 3 }),
        fc.nat(),
        fc.constantFrom(...'{}[]",:\\0-.eE1tn \u0001'),
        (value, at, c) => {
          const text = JSON.stringify(value)
          const broken = text.slice(0, at % (text.length + 1)) + c + text.slice(at % (text.length + 1))
          let parses = true
          try {
            JSON.parse(broken)
          } catch {
            parses = false
          }
          let taken = true
          try {
            skip(broken)
          } catch (error) {
            assert.instanceOf(error, JsonUnexpected)
            // What only this parser refuses.
            taken = /twice|surrogate|escape/.test((error as Error).message) && parses
          }
          assert.strictEqual(taken, parses, broken)
        }
      ),
      { seed: 12, numRuns: 3000 }
    )
  })

  it("refuses duplicate keys at any depth, however they are spelled", () => {
    refuses('{"a":1,"b":2,"a":3}', 'the key "a" appears twice')
    refuses('{"a":1,"\\u0061":3}', 'the key "a" appears twice')
    refuses('[{"x":{"k":1,"k":1}}]', 'the key "k" appears twice')
    refuses('{"__proto__":1,"__proto__":1}', 'the key "__proto__" appears twice')
    skip('{"a":{"a":{"a":1}},"__proto__":1,"toString":2}')
  })

  it("refuses half a surrogate pair", () => {
    refuses('"\\ud800"', "invalid escape")
    refuses('"\\udc00\\ud800"', "invalid escape")
    assert.strictEqual(new JsonCursor('"\\ud83d\\ude00"').string(), "😀")
  })

  it("bounds depth, keys and elements", () => {
    skip("[".repeat(100) + "]".repeat(100))
    refuses("[".repeat(1e6), "nested deeper than 100")
    refuses('{"a":'.repeat(1e5), "nested deeper than 100")
    const many = `[${"1,".repeat(2000)}1]`
    const cursor = new JsonCursor(many)
    assert.throws(() => cursor.array(() => cursor.count()), JsonUnexpected, "more than 1000 elements")
    refuses(`{${Array.from({ length: 1_000_001 }, (_, i) => `"${i}":0`).join(",")}}`, "more than 1000000 keys")
  })

  it("takes counts as plain digits up to 2^53 - 1 only", () => {
    const count = (text: string) => {
      const cursor = new JsonCursor(text)
      const value = cursor.count()
      cursor.end()
      return value
    }
    assert.strictEqual(count("0"), 0)
    assert.strictEqual(count(" 9007199254740991"), Number.MAX_SAFE_INTEGER)
    const wrong = [
      "-1",
      "-0",
      "1.0",
      "1.5",
      "1e3",
      "01",
      "9007199254740992",
      "9007199254740993",
      "18446744073709551616"
    ]
    for (const text of [...wrong, '"1"', "null", "true", "[1]", "", "NaN", "0x10"]) {
      assert.throws(() => count(text), JsonUnexpected, "expected", text)
    }
  })
})
