/** Saving and loading gives the same bits: every double, every bit pattern of a tensor, chunked or whole. */
import { join } from "node:path"
import { describe, it } from "@effect/vitest"
import { bytesOf, typedView } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import fc from "fast-check"
import { assert } from "vitest"
import { openSaved, writeSaved } from "../src/checkpoints/savedFile.ts"
import { SavedFileDamaged } from "../src/Errors.ts"
import { canonicalJson } from "../src/json/canonicalJson.ts"
import * as Codec from "../src/stage/Codec.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"

interface Value {
  readonly numbers: ReadonlyArray<number>
  readonly text: string
  readonly words: Uint32Array
}

const codec = Codec.make({
  data: Schema.Struct({ numbers: Schema.Array(Schema.Number), text: Schema.String }),
  save: ({ numbers, text, words }: Value) => ({
    data: { numbers, text },
    tensors: [
      {
        name: "words",
        dtype: "U32",
        shape: [words.length],
        data: Effect.sync(() => [bytesOf(words).subarray(0, 4), bytesOf(words).subarray(4)])
      }
    ]
  }),
  load: ({ numbers, text }, tensors) =>
    Effect.map(tensors.read("words"), (bytes): Value => ({ numbers, text, words: typedView("U32", bytes) }))
})

const roundTrip = Effect.fnUntraced(function* <A, E, R>(kind: Codec.Codec<A, E, R>, value: A, file: string) {
  yield* writeSaved(file, kind.save(value))
  return yield* Effect.flatMap(openSaved(file), kind.load)
}, Effect.scoped)

describe("Codec", () => {
  it("canonical JSON is one text for one value, and keeps every double", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = canonicalJson(value as Schema.Json)
        assert.deepStrictEqual(
          JSON.parse(text),
          JSON.parse(JSON.stringify(value), (_, item) => item)
        )
        const reordered = JSON.parse(text, (_, item) =>
          item !== null && typeof item === "object" && !Array.isArray(item)
            ? Object.fromEntries(Object.entries(item).reverse())
            : item
        )
        assert.strictEqual(canonicalJson(reordered), text)
      }),
      { seed: 7, numRuns: 200 }
    )
    assert.isTrue(Object.is(JSON.parse(canonicalJson(-0)), -0))
  })

  it.live("what was saved is loaded bit for bit", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      const values = fc.sample(
        fc.record({
          numbers: fc.array(fc.double()),
          text: fc.string({ unit: "grapheme" }),
          words: fc.uint32Array({ minLength: 1, maxLength: 20 })
        }),
        { seed: 11, numRuns: 30 }
      )
      const hard = [-0, Number.NaN, Number.POSITIVE_INFINITY, 5e-324, 1.7976931348623157e308, 0.1 + 0.2]
      for (const value of [...values, { numbers: hard, text: '"\\\n\u0000', words: Uint32Array.of(0x7fc00001) }]) {
        const loaded = yield* roundTrip(codec, value, join(directory, "value.safetensors"))
        assert.isTrue(loaded.numbers.every((number, index) => Object.is(number, value.numbers[index])))
        assert.strictEqual(loaded.text, value.text)
        assert.deepStrictEqual([...loaded.words], [...value.words])
      }
    })
  )

  it.live("data that does not fit the schema is damage, not a wrong value", () =>
    Effect.gen(function* () {
      const file = join(temporaryDirectory(), "value.safetensors")
      yield* writeSaved(file, Codec.json(Schema.Number).save(3))
      const error = yield* Effect.flip(
        Effect.scoped(Effect.flatMap(openSaved(file), Codec.json(Schema.Struct({ a: Schema.String })).load))
      )
      assert.instanceOf(error, SavedFileDamaged)
      assert.include(error.message, `${file} is damaged: Expected object`)
    })
  )
})
