/** Schemes of a recipe: lists named once, used by name, joined, narrowed. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { applyOverrides } from "../src/recipe/overrides.ts"
import { expandSchemes, type Schemes } from "../src/recipe/schemes.ts"

const Config = Schema.Struct({
  title: Schema.String,
  rules: Schema.Array(Schema.Json).annotate({ schemes: true })
})
const schemes: Schemes = {
  two: [{ match: "**", bits: 2 }],
  mixed: [{ match: "a", bits: 4 }, "two"],
  round: ["about"],
  about: [{ scheme: "round" }]
}
const expand = (rules: Schema.Json) => expandSchemes(Config.ast, { title: "two", rules }, schemes)

describe("a scheme", () => {
  it("stands for its list, alone or among other entries", () => {
    assert.deepStrictEqual(expand("two").config, { title: "two", rules: [{ match: "**", bits: 2 }] })
    assert.deepStrictEqual(expand(["two", { match: "b" }]).config.rules, [{ match: "**", bits: 2 }, { match: "b" }])
  })

  it("may name others", () => {
    assert.deepStrictEqual(expand("mixed").config.rules, [
      { match: "a", bits: 4 },
      { match: "**", bits: 2 }
    ])
  })

  it("is narrowed by the fields beside its name", () => {
    assert.deepStrictEqual(expand([{ scheme: "mixed", tower: "vision" }]).config.rules, [
      { match: "a", bits: 4, tower: "vision" },
      { match: "**", bits: 2, tower: "vision" }
    ])
  })

  it("that is not there is told, with those like it", () => {
    assert.deepStrictEqual(expand(["mixd"]).problems, [
      { path: "rules", issue: 'there is no scheme "mixd"; did you mean mixed?' }
    ])
  })

  it("that is named as something of every object is not there", () => {
    for (const name of ["constructor", "toString", "__proto__"]) {
      assert.include(expand([name]).problems[0]?.issue, `there is no scheme "${name}"`)
    }
  })

  it("that names itself is told with the way round", () => {
    assert.deepStrictEqual(expand("round").problems, [
      { path: "rules", issue: 'scheme "round" names itself: round -> about -> round' }
    ])
  })

  it("stands for its list in each of several lists, which stay apart", () => {
    const each = Schema.Struct({ lists: Schema.Array(Schema.Json).annotate({ schemes: "each" }) }).ast
    const expandLists = (lists: Schema.Json) => expandSchemes(each, { lists }, schemes)
    const two = { match: "**", bits: 2 }
    assert.deepStrictEqual(expandLists(["two", ["mixed", { match: "b" }], [{ scheme: "two", tower: "vision" }]]), {
      config: { lists: [[two], [{ match: "a", bits: 4 }, two, { match: "b" }], [{ ...two, tower: "vision" }]] },
      problems: []
    })
    assert.match(expandLists(["two", "thre"]).problems[0]!.issue, /there is no scheme "thre"/)
    assert.deepStrictEqual(expandLists("two").config, { lists: "two" })
  })

  it("leaves lists without names, and texts elsewhere, as they are", () => {
    const config = { title: "two", rules: [{ match: "x" }] }
    assert.deepStrictEqual(expandSchemes(Config.ast, config, schemes), { config, problems: [] })
  })
})

describe("settings of the command line", () => {
  const configAst = Schema.Struct({ rules: Schema.Array(Schema.JsonObject).annotate({ schemes: true }) }).ast
  const stage = (json: Schema.Json) => (json as unknown as { readonly stages: readonly [object] }).stages[0]
  const set = (...settings: readonly string[]) =>
    Effect.runPromise(
      Effect.map(
        applyOverrides(
          [{ name: "x", configAst } as never],
          { name: "n", schemes: { two: [{ match: "**", bits: 2 }] }, stages: [{ use: "x", rules: "two" }] },
          settings
        ),
        stage
      )
    )

  it("reach into what a scheme stands for, of one stage", async () => {
    assert.deepStrictEqual<object>(await set("x.rules[0].match=a"), { use: "x", rules: [{ match: "a", bits: 2 }] })
  })

  it("change a scheme for all stages", async () => {
    assert.deepStrictEqual<object>(await set("schemes.two[0].bits=3", "x.rules[0].match=a"), {
      use: "x",
      rules: [{ match: "a", bits: 3 }]
    })
  })

  it("add an entry behind the last one of a list, and leave none out", async () => {
    const added = await set("x.rules[1].match=b")
    assert.deepStrictEqual<object>(added, { use: "x", rules: [{ match: "**", bits: 2 }, { match: "b" }] })
    const error = await set("x.rules[100000000].match=b").catch((raised: unknown) => raised)
    assert.include(String(error), "01-x.rules has 1 entries, numbered from 0")
  })

  it("name another scheme", async () => {
    assert.deepStrictEqual<object>(await set("x.rules=three"), { use: "x", rules: "three" })
  })
})
