/** Names of what processes hand to each other: what belongs to a step goes with it, also what was only begun. */
import { assert, describe, it } from "vitest"
import { isOfOtherStep, parametersName, sumsName } from "../src/units/exchange.ts"

const key = "0123456789abcdef"
const other = "fedcba9876543210"

describe("isOfOtherStep", () => {
  it("is true of whole and begun files of other steps and stages, and of no other file", () => {
    for (const name of [parametersName(key, 4), sumsName({ key, step: 4, shard: 2 }, "host 1")]) {
      for (const file of [name, `.${name}.4711-0-12.tmp`]) {
        assert.isFalse(isOfOtherStep(file, key, 4), file)
        assert.isTrue(isOfOtherStep(file, key, 5), file)
        assert.isTrue(isOfOtherStep(file, other, 4), file)
      }
    }
    assert.isFalse(isOfOtherStep("runners.json", key, 4))
  })
})
