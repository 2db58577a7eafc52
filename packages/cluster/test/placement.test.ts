/** Where units go: every runner gets as many as the others, and there is a place for each. */
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import { assert, describe, it } from "vitest"
import { placesFor, shardsPerGroup, sharesOf } from "../src/units/placement.ts"

const runners = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ address: RunnerAddress.make(`runner-${at}`, 1), weight: 1 }))

describe("sharesOf", () => {
  it("shares every shard of the group out, evenly", () => {
    for (const count of [1, 2, 3, 7]) {
      const shares = sharesOf(runners(count))
      const all = shares.flat().sort((a, b) => a - b)
      assert.deepStrictEqual(
        all,
        Array.from({ length: shardsPerGroup }, (_, at) => at + 1)
      )
      for (const share of shares) assert.isAtMost(Math.abs(share.length - shardsPerGroup / count), 1)
    }
  })
})

describe("placesFor", () => {
  it("gives each runner the same number of units, one more at most", () => {
    const shares = sharesOf(runners(3))
    const places = placesFor(8, shares)
    assert.strictEqual(new Set(places).size, 8)
    const units = shares.map((share) => places.filter((place) => share.includes(place)).length)
    assert.deepStrictEqual(units, [3, 3, 2])
  })

  it("uses places again where there are more units than places", () => {
    assert.strictEqual(placesFor(200, sharesOf(runners(2))).length, 200)
  })
})
