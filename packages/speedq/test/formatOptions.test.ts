import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { formatOptions } from "../src/models/formatOptions.ts"

const optionsOf = (formats: readonly string[], ...written: readonly string[]) =>
  Object.fromEntries(Effect.runSync(formatOptions(formats, written, "help")))

describe("options of an export format", () => {
  it("are JSON where they are, and text elsewhere; the last one of a name counts", () => {
    assert.deepEqual(optionsOf(["hf"], "dtype=bf16", "level=3", "names=[1,2]", "dtype=f32", "text=a=b"), {
      hf: { dtype: "f32", level: 3, names: [1, 2], text: "a=b" }
    })
  })

  it("are of every format, or of the one that they name", () => {
    assert.deepEqual(optionsOf(["hf", "fake-quant", "packed"], "fake-quant.dtype=f32", "hf.dtype=bf16"), {
      hf: { dtype: "bf16" },
      "fake-quant": { dtype: "f32" },
      packed: {}
    })
    assert.deepEqual(optionsOf(["hf", "original"], "dtype=f32"), { hf: { dtype: "f32" }, original: { dtype: "f32" } })
    assert.deepEqual(optionsOf(["hf"], "packed.level=1"), { hf: { "packed.level": 1 } })
  })

  it("without a name or a value are wrong usage", () => {
    const error = Effect.runSync(Effect.flip(formatOptions(["hf"], ["level", "=3"], "speedq export --help")))
    assert.deepEqual(error.problems, ["--with level: expected NAME=VALUE", "--with =3: expected NAME=VALUE"])
  })
})
