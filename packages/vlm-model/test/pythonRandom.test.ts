import { assert, describe, it } from "vitest"
import { PythonRandom, selectLines } from "../src/index.ts"
import { fixtureJson, sha256OfNumbers } from "./fixture.ts"

interface Fixture {
  readonly seeds: ReadonlyArray<readonly [number, ReadonlyArray<number>]>
  readonly samples42: ReadonlyArray<readonly [number, number, string, ReadonlyArray<number>]>
  readonly seed1draw2000: number
  readonly below: ReadonlyArray<readonly [number, ReadonlyArray<number>]>
}
const fixture = fixtureJson<Fixture>("pythonRandom.json")

describe("PythonRandom", () => {
  it("draws what CPython draws, of small and large seeds", () => {
    for (const [seed, draws] of fixture.seeds) {
      const random = new PythonRandom(seed)
      assert.deepEqual(
        draws.map(() => random.nextUint32()),
        draws,
        `seed ${seed}`
      )
    }
    const random = new PythonRandom(1)
    for (let i = 1; i < 2000; i++) random.nextUint32()
    assert.strictEqual(random.nextUint32(), fixture.seed1draw2000)
  })

  it("draws below a limit, also where that takes several tries", () => {
    for (const [limit, draws] of fixture.below) {
      const random = new PythonRandom(5)
      assert.deepEqual(
        draws.map(() => random.below(limit)),
        draws,
        `below ${limit}`
      )
    }
  })

  it("samples as random.sample does, one generator through all populations", () => {
    const random = new PythonRandom(42)
    for (const [length, count, digest, start] of fixture.samples42) {
      const sample = random.sample(length, count)
      assert.deepEqual([...sample.subarray(0, 5)], start, `${count} of ${length}`)
      assert.strictEqual(sha256OfNumbers(sample), digest, `${count} of ${length}`)
    }
  })

  it("refuses what Python refuses", () => {
    assert.throws(() => new PythonRandom(-1), RangeError)
    assert.throws(() => new PythonRandom(0.5), RangeError)
    assert.throws(() => new PythonRandom(1).sample(3, 4), RangeError, "4 of 3")
  })
})

describe("selectLines", () => {
  it("draws a percentage, cut off to a whole number, in drawing order", () => {
    const selected = selectLines(1000, 1, 25, new PythonRandom(42))
    assert.deepEqual(selected, new PythonRandom(42).sample(1000, 250))
    assert.strictEqual(selectLines(199, 1, 1, new PythonRandom(42)).length, 1)
    assert.deepEqual([...selectLines(99, 1, 1, new PythonRandom(42))], [])
  })

  it("takes everything in file order for 0 percent, without drawing", () => {
    const random = new PythonRandom(42)
    assert.deepEqual([...selectLines(4, 1, 0, random)], [0, 1, 2, 3])
    assert.strictEqual(random.nextUint32(), new PythonRandom(42).nextUint32())
  })

  it("keeps the first part or repeats the whole", () => {
    assert.deepEqual([...selectLines(5, 0.5, 0, new PythonRandom(1))], [0, 1])
    assert.deepEqual([...selectLines(2, 3, 0, new PythonRandom(1))], [0, 1, 0, 1, 0, 1])
    const drawn = new PythonRandom(7).sample(10, 4)
    assert.deepEqual([...selectLines(10, 0.5, 40, new PythonRandom(7))], [...drawn.subarray(0, 2)])
  })
})
