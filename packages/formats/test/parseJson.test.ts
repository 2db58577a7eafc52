import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { jsonString, mostNested, parseJson } from "../src/index.ts"

const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth)

describe("parseJson", () => {
  it("parses what JSON.parse does", () => {
    for (const text of ["1", '"a"', "null", '{"a": [1, {"b": "]]]{{{\\"[["}]}', nested(mostNested)]) {
      assert.deepStrictEqual(parseJson(text), JSON.parse(text))
    }
    for (const text of ["", "{", '"a', '"\\', "[1}"]) assert.throws(() => parseJson(text), SyntaxError)
    assert.deepStrictEqual(Object.keys(parseJson('{"__proto__": 1}') as object), ["__proto__"])
  })

  it("refuses what is nested deeper, before it is parsed; brackets in texts nest nothing", () => {
    for (const text of [nested(mostNested + 1), "[".repeat(10_000_000), '{"a":'.repeat(1_000_000)]) {
      assert.throws(() => parseJson(text), "values are nested deeper than 100")
    }
    const text = JSON.stringify("[".repeat(1000))
    assert.strictEqual(parseJson(text), "[".repeat(1000))
  })
})

describe("jsonString", () => {
  const Text = jsonString(Schema.Struct({ a: Schema.Json }), { space: 2 })

  it("decodes and encodes as Schema.fromJsonString does, and refuses what is nested deeper", () => {
    const plain = Schema.fromJsonString(Schema.Struct({ a: Schema.Json }), { space: 2 })
    const decode = Schema.decodeUnknownOption(Text)
    assert.deepStrictEqual(decode('{"a": [1]}'), Schema.decodeUnknownOption(plain)('{"a": [1]}'))
    assert.strictEqual(Schema.encodeSync(Text)({ a: [1] }), Schema.encodeSync(plain)({ a: [1] }))
    assert.isTrue(Option.isNone(decode(`{"a": ${nested(100_000)}}`)))
    assert.isTrue(Option.isNone(decode("{")))
  })
})
