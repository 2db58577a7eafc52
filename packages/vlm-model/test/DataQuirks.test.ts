import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { carefulData, DataQuirks, referenceData } from "../src/index.ts"

describe("DataQuirks", () => {
  const decode = Schema.decodeUnknownSync(DataQuirks)

  it("are off unless switched on", () => {
    assert.deepEqual(decode({}), carefulData)
    assert.deepEqual(decode({ maskTokenZero: true, substitutions: 3 }), {
      ...carefulData,
      maskTokenZero: true,
      substitutions: 3
    })
    assert.throws(() => decode({ substitutions: -1 }))
  })

  it("are all on in the reference preset", () => {
    assert.deepEqual(Object.keys(referenceData), Object.keys(carefulData))
    for (const [name, value] of Object.entries(referenceData)) assert.isOk(value, name)
  })
})
