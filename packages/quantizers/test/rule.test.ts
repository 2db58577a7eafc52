/** Rules in code: what they encode to, and what the compiler refuses. */
import { assert, describe, expectTypeOf, it } from "vitest"
import {
  bilevel,
  choice,
  configure,
  decodeRules,
  embeddingSym4,
  n2f3,
  n2f3Quantizer,
  none,
  type Quantizer,
  type RuleInput,
  type RuleSpec,
  rule
} from "../src/index.ts"

describe("rule", () => {
  it("encodes to what a recipe in JSON has: defaults stay open, for compat to decide", () => {
    const typed = rule("**.down_proj", bilevel({ bits: 4, group: 32, scaleGroup: 128 }), { tower: "language" })
    assert.deepEqual<object>(typed, {
      match: "**.down_proj",
      tower: "language",
      use: "bilevel",
      with: { bits: 4, group: 32, scaleGroup: 128 }
    })
    const [decoded] = decodeRules([typed as unknown as RuleSpec], { compat: "reference" })
    assert.deepInclude(decoded!.choice.config, { secondLevel: "f32" })
  })

  it("has no options where none were given", () => {
    assert.deepEqual<object>(choice(embeddingSym4()), { use: "embedding-sym4" })
    assert.deepEqual<object>(choice(none), { use: "none" })
    assert.deepEqual<object>(choice(n2f3({ group: 32 })), { use: "n2f3", with: { group: 32 } })
  })

  it("takes quantizers from outside", () => {
    const mine: Quantizer<typeof n2f3Quantizer.Config.Type> = { ...n2f3Quantizer, id: "mine" }
    const typed = rule("**", configure(mine, { group: 16 }))
    assert.deepEqual<object>(typed, { match: "**", use: "mine", with: { group: 16 } })
    expectTypeOf(typed).toExtend<RuleInput>()
  })

  it("and plain objects are checked by the compiler", () => {
    const rules: readonly RuleInput[] = [
      { match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } },
      { match: "**", use: "none" },
      // @ts-expect-error a misspelt quantizer
      { match: "**", use: "bilevle", with: { bits: 2, group: 16, scaleGroup: 16 } },
      // @ts-expect-error bilevel has no 7 bits
      { match: "**", use: "bilevel", with: { bits: 7, group: 16, scaleGroup: 16 } },
      // @ts-expect-error an option that uniform does not have
      { match: "**", use: "uniform", with: { bits: 2, group: 16, scaleGroup: 16 } },
      // @ts-expect-error bilevel cannot do without its groups
      { match: "**", use: "bilevel" },
      // @ts-expect-error there is no such tower
      { match: "**", tower: "langauge", use: "none" }
    ]
    assert.strictEqual(rules.length, 7)
    // @ts-expect-error bilevel has no 7 bits
    assert.throws(() => bilevel({ bits: 7, group: 16, scaleGroup: 16 }), /bits/)
    // @ts-expect-error a misspelt option
    assert.throws(() => bilevel({ bits: 2, group: 16, scaleGruop: 16 }), /scaleGr/)
  })
})
