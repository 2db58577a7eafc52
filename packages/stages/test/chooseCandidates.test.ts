/** The choice under a budget: the least sum of divergences that there is, found by trying all choices. */
import { Random } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { type Candidate, chooseCandidates } from "../src/allocateBits/chooseCandidates.ts"

type Units = readonly (readonly Candidate[])[]

const totalsOf = (units: Units, chosen: readonly number[]) => {
  const picked = units.map((candidates, unit) => candidates[chosen[unit]!]!)
  return {
    bits: picked.reduce((sum, { bits }) => sum + bits, 0),
    divergence: picked.reduce((sum, { divergence }) => sum + divergence, 0)
  }
}

const allChoices = (units: Units): readonly (readonly number[])[] =>
  units.reduce<readonly (readonly number[])[]>(
    (choices, candidates) => choices.flatMap((choice) => [...candidates.keys()].map((at) => [...choice, at])),
    [[]]
  )

const leastSum = (units: Units, budget: number): number =>
  Math.min(
    ...allChoices(units)
      .map((choice) => totalsOf(units, choice))
      .filter(({ bits }) => bits <= budget)
      .map(({ divergence }) => divergence)
  )

const randomUnits = (random: ReturnType<typeof Random.make>, scale: number): Units =>
  Array.from({ length: 5 }, () =>
    Array.from({ length: 3 }, (_, at) => ({
      bits: Math.ceil((at + 1 + random.nextUniform()) * scale),
      divergence: random.nextUniform() / (at + 1)
    }))
  )

describe("the choice of candidates", () => {
  it("has the least sum of divergences of all that fit", () => {
    const random = Random.make(5, "tables")
    for (let table = 0; table < 40; table++) {
      const units = randomUnits(random, 1 + 50 * random.nextUniform())
      const { bits: least } = totalsOf(
        units,
        units.map(() => 0)
      )
      const budget = least + Math.floor(random.nextUniform() * least)
      const { bits, divergence } = totalsOf(units, chooseCandidates(units, budget))
      assert.isAtMost(bits, budget)
      assert.closeTo(divergence, leastSum(units, budget), 1e-12)
    }
  })

  it("never exceeds a budget whose places are too many for the table, and is close to the least sum", () => {
    const random = Random.make(6, "large tables")
    for (let table = 0; table < 10; table++) {
      const units = randomUnits(random, 1e8)
      const budget =
        totalsOf(
          units,
          units.map(() => 0)
        ).bits + 3e8
      const { bits, divergence } = totalsOf(units, chooseCandidates(units, budget))
      assert.isAtMost(bits, budget)
      assert.closeTo(divergence, leastSum(units, budget - 5 * Math.ceil(3e8 / 2 ** 16)), 0.05)
    }
  })

  it("takes the cheaper one of two that are equally good, wherever it stands", () => {
    const dear = { bits: 40, divergence: 1 }
    const cheap = { bits: 20, divergence: 1 }
    assert.deepStrictEqual(
      chooseCandidates(
        [
          [dear, cheap],
          [cheap, dear]
        ],
        80
      ),
      [1, 0]
    )
  })

  it("gives bits where they help most, and does not where they harm", () => {
    const units = [
      [
        { bits: 2, divergence: 5 },
        { bits: 4, divergence: 4 }
      ],
      [
        { bits: 2, divergence: 9 },
        { bits: 4, divergence: 1 }
      ],
      [
        { bits: 2, divergence: 1 },
        { bits: 4, divergence: 2 }
      ]
    ]
    assert.deepStrictEqual(chooseCandidates(units, 8), [0, 1, 0])
    assert.deepStrictEqual(chooseCandidates(units, 12), [1, 1, 0])
  })

  it("throws where nothing fits", () => {
    assert.throws(
      () => chooseCandidates([[{ bits: 20, divergence: 1 }]], 19),
      /take 20 bits, more than the budget of 19/
    )
  })
})
