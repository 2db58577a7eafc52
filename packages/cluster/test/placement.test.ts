/** Where units go: every runner gets as many as the others, and there is a place for each. */
import type * as EntityAddress from "effect/cluster/EntityAddress"
import type { EntityId } from "effect/cluster/EntityId"
import * as Runner from "effect/cluster/Runner"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import { assert, describe, it } from "vitest"
import { type Place, placeKeeper, type Taken } from "../src/coordinator/places.ts"
import { shardsPerGroup, sharesOf } from "../src/units/placement.ts"

const runners = (count: number) =>
  Array.from({ length: count }, (_, at) =>
    Runner.make({ address: RunnerAddress.make(`runner-${at}`, 1), groups: ["group"], weight: 1 })
  )

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

describe("placeKeeper", () => {
  const placeOf = (number: number): Place => ({
    id: `${number}` as EntityId,
    address: {} as EntityAddress.EntityAddress
  })
  const keeper = () =>
    placeKeeper(new Map(Array.from({ length: shardsPerGroup }, (_, at) => [at + 1, placeOf(at + 1)] as const)))
  const many = (units: number, count: number) => {
    const { take } = keeper()
    return Array.from({ length: units }, () => take(runners(count))!)
  }
  const countOf = (taken: readonly Taken[], name: string) => taken.filter(({ runner }) => runner === name).length

  it("gives each runner the same number of units, one more at most, each at a place of its own", () => {
    const taken = many(8, 3)
    assert.strictEqual(new Set(taken.map(({ place }) => place.id)).size, 8)
    assert.deepStrictEqual(
      runners(3).map(({ address }) => countOf(taken, address.host)),
      [3, 3, 2]
    )
  })

  it("uses places again where there are more units than places, and tells when one is free", () => {
    const { take, giveBack } = keeper()
    const taken = Array.from({ length: 61 }, () => take(runners(1))!)
    const [twice] = taken.filter(({ place }, at) => taken.findIndex((other) => other.place === place) !== at)
    const first = taken.find(({ place }) => place === twice!.place)!
    assert.isFalse(giveBack(first))
    assert.isTrue(giveBack(twice!))
  })

  it("gives the next unit to the runner that has answered", () => {
    const { take, giveBack } = keeper()
    const [, , second] = Array.from({ length: 3 }, () => take(runners(2))!)
    const taken = take(runners(2))!
    assert.strictEqual(taken.runner, "runner-1")
    giveBack(second!)
    assert.strictEqual(take(runners(2))!.runner, second!.runner)
  })

  it("has none without a runner", () => {
    assert.isUndefined(keeper().take([]))
  })
})
