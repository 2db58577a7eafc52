/** What a person wrote and a schema refuses: where, what, and what could have been meant. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { decodeOptions, option, strictDecoder } from "../src/index.ts"

const Stage = Schema.Struct({
  iterations: option(Schema.Int, 3, { description: "Steps." }),
  rule: Schema.optionalKey(
    Schema.Union([
      Schema.String,
      Schema.Struct({ match: Schema.optionalKey(Schema.String), bits: Schema.optionalKey(Schema.Int) })
    ])
  )
})
const Recipe = Schema.Struct({ name: Schema.String, stages: Schema.NonEmptyArray(Stage) })

const problems = (schema: Schema.Codec<unknown, unknown>, written: unknown) => {
  const decoded = strictDecoder(schema)(written)
  return Result.isFailure(decoded) ? decoded.failure.map(({ path, issue }) => `${path}: ${issue}`) : []
}

describe("options that a person wrote", () => {
  it("with a misspelt name are told the names that are like it, at any depth and in every form that an option may have", () => {
    assert.deepStrictEqual(problems(Recipe, { naem: "x", name: "x", stages: [{ iteratoins: 5, rule: { btis: 2 } }] }), [
      "naem: Unexpected key (did you mean name?)",
      "stages[0].iteratoins: Unexpected key (did you mean iterations?)",
      "stages[0].rule.btis: Unexpected key (did you mean bits?)"
    ])
    assert.deepStrictEqual(problems(Recipe, { name: "x", stages: [{ description: 1 }] }), [
      "stages[0].description: Unexpected key"
    ])
  })

  it("that should not be an empty list are told so", () => {
    assert.deepStrictEqual(problems(Recipe, { name: "x", stages: [] }), [
      "stages: the list is empty; give at least one entry"
    ])
    assert.deepStrictEqual(problems(Recipe, { stages: [{}] }), ["name: Missing key"])
  })

  it("that are a list or another file are told in some words, not in full", () => {
    assert.deepStrictEqual(problems(Recipe, [{ name: "x" }, {}]), [": Expected object, got a list of 2"])
    assert.deepStrictEqual(problems(Recipe, { name: { a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }, stages: [{}] }), [
      "name: Expected string, got an object with a, b, c, d, e, ..."
    ])
    assert.deepStrictEqual(problems(Recipe, { name: 3, stages: [{}] }), ["name: Expected string, got 3"])
  })

  it("that are no size are told what one looks like", () => {
    const Memory = Schema.Struct({ limit: Schema.ByteSizeFromString })
    assert.deepStrictEqual(problems(Memory, { limit: "4 GBB" }), [
      'limit: Expected a size such as "4 GiB" or "500 MB", got "4 GBB"'
    ])
  })

  it("of what has no options are refused", () => {
    const none = Schema.Struct({})
    assert.deepStrictEqual(problems(none, {}), [])
    assert.deepStrictEqual(problems(none, { x: 1 }), ["x: Unexpected key; there are no options"])
    assert.deepStrictEqual(problems(none, 5), [": Expected an object without keys"])
    const refused = (issue: string) => new Error(issue)
    assert.throws(() => decodeOptions(none, { x: 1, y: 2 }, refused), "x: Unexpected key; there are no options; y: ")
  })
})
