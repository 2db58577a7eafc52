/** Options: what they decode to, and what is known of them on the JSON side. */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { assert, describe, it } from "vitest"
import { laterOption, option, optionalOption, requiredOption, writtenAs } from "../src/index.ts"

const Loss = Schema.Struct({
  weight: option(Schema.Finite.check(Schema.isGreaterThan(0)), 1, { description: "Factor of the loss." })
}).check(Schema.makeFilter(({ weight }) => weight < 10 || "weight is 10 or more"))

const Config = Schema.Struct({
  steps: requiredOption(Schema.Int, { description: "Steps that are made.", unit: "steps" }),
  cache: option(Schema.ByteSizeFromString, "1 GiB", { description: "Memory for images.", unit: "bytes", policy: true }),
  confidence: option(Schema.Union([Schema.Literal("teacher"), Schema.Finite]), "teacher", {
    description: "Share of the reverse divergence.",
    source: "the paper"
  }),
  loss: option(Loss, {}, { description: "What is minimized." }),
  limit: optionalOption(Schema.Int, { description: "Rows that are read." }),
  range: laterOption(Schema.Literals(["minmax", "mse"]), "minmax", { description: "Range of a grid." })
})

interface Options {
  readonly steps: number
  readonly cache?: string
  readonly confidence?: "teacher" | number
  readonly loss?: { readonly weight?: number }
  readonly limit?: number
  readonly range?: "minmax" | "mse"
}

/** Annotations of the JSON side by the option's path. */
const known = (ast: SchemaAST.AST, path: readonly string[] = []): ReadonlyMap<string, object> => {
  if (!SchemaAST.isObjects(ast)) return new Map()
  return new Map(
    ast.propertySignatures.flatMap(({ name, type }) => {
      const { description, unit, source, policy, default: value } = SchemaAST.resolve(type) ?? {}
      const below = [...path, String(name)]
      return [[below.join("."), { description, unit, source, policy, value }] as const, ...known(type, below)]
    })
  )
}

describe("an option", () => {
  it("that is left out stands for its default, checks and all", () => {
    const decode = Schema.decodeUnknownSync(Config)
    const { cache, ...rest } = decode({ steps: 3 })
    assert.deepEqual(rest, { steps: 3, confidence: "teacher", loss: { weight: 1 }, range: "minmax" })
    assert.strictEqual(Number(cache), 2 ** 30)
    assert.throws(() => decode({ steps: 3, loss: { weight: 0 } }), /greater than 0/)
    assert.throws(() => decode({ steps: 3, loss: { weight: 12 } }), /10 or more/)
    assert.throws(() => decode({}), /steps/)
  })

  it("is known on the JSON side, through transformations, unions and nested defaults", () => {
    const nothing = { unit: undefined, source: undefined, policy: undefined, value: undefined }
    assert.deepEqual(Object.fromEntries(known(SchemaAST.toEncoded(Config.ast))), {
      steps: { ...nothing, description: "Steps that are made.", unit: "steps" },
      cache: { ...nothing, description: "Memory for images.", unit: "bytes", policy: true, value: "1 GiB" },
      confidence: {
        ...nothing,
        description: "Share of the reverse divergence.",
        source: "the paper",
        value: "teacher"
      },
      loss: { ...nothing, description: "What is minimized.", value: {} },
      "loss.weight": { ...nothing, description: "Factor of the loss.", value: 1 },
      limit: { ...nothing, description: "Rows that are read." },
      range: { ...nothing, description: "Range of a grid.", value: "minmax" }
    })
  })

  it("that came later is written only where it is not its default", () => {
    const written = (options: object) => {
      const decoded = Schema.decodeUnknownSync(Config)({ steps: 3, ...options })
      return [decoded.range, (Schema.encodeSync(Config)(decoded) as Options).range]
    }
    assert.deepEqual(written({}), ["minmax", undefined])
    assert.notProperty(Schema.encodeSync(Config)(Schema.decodeUnknownSync(Config)({ steps: 3 })), "range")
    assert.deepEqual(written({ range: "minmax" }), ["minmax", undefined])
    assert.deepEqual(written({ range: "mse" }), ["mse", "mse"])
    assert.throws(() => written({ range: "other" }), /range/)
  })
})

describe("writtenAs", () => {
  it("takes the interface of the schema and no other one", () => {
    assert.strictEqual(writtenAs<Options>()(Config).ast, Config.ast)
    // @ts-expect-error an option that the schema does not have
    writtenAs<Options & { readonly more?: number }>()(Config)
    // @ts-expect-error an option is missing
    writtenAs<Omit<Options, "limit">>()(Config)
    // @ts-expect-error an option takes less than the schema allows
    writtenAs<Options & { readonly confidence?: "teacher" }>()(Config)
  })
})
