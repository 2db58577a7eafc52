import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { formatOptions } from "../src/models/formatOptions.ts"

describe("options of an export format", () => {
  it("are JSON where they are, and text elsewhere; the last one of a name counts", () => {
    const options = Effect.runSync(
      formatOptions(["dtype=bf16", "level=3", "names=[1,2]", "dtype=f32", "text=a=b"], "help")
    )
    assert.deepEqual(options, { dtype: "f32", level: 3, names: [1, 2], text: "a=b" })
  })

  it("without a name or a value are wrong usage", () => {
    const error = Effect.runSync(Effect.flip(formatOptions(["level", "=3"], "speedq export --help")))
    assert.deepEqual(error.problems, ["--with level: expected NAME=VALUE", "--with =3: expected NAME=VALUE"])
  })
})
