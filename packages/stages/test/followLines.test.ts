/** Lines of an annotation file are found again after others were dropped or repaired. */
import { Random } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { followLines, gone } from "../src/data/followLines.ts"

const follow = (before: readonly string[], after: readonly string[], lines = before.map((_, line) => line)) =>
  followLines({
    ...{ before: before.length, after: after.length, lines: Uint32Array.from(lines) },
    isAt: (n, place) => before[lines[n]!] === after[place]
  })
const places = (...args: Parameters<typeof follow>) => [...follow(...args)!]

describe("followLines", () => {
  it("finds lines that moved up, and knows those that are gone", () => {
    assert.deepStrictEqual(places(["a", "b", "c", "d"], ["a", "c", "d"]), [0, gone, 1, 2])
    assert.deepStrictEqual(places(["a", "b", "c", "d"], ["c", "d"], [1, 3]), [gone, 1])
    assert.deepStrictEqual(places(["a", "b"], []), [gone, gone])
  })

  it("takes a line for repaired where nothing else was dropped around it", () => {
    assert.deepStrictEqual(places(["a", "b", "c"], ["a", "B", "c"]), [0, 1, 2])
    assert.deepStrictEqual(places(["a", "b", "c", "d"], ["a", "B", "c"]), [0, 1, 2, gone])
    assert.deepStrictEqual(places(["a", "b"], ["a", "B"]), [0, 1])
    // One of the two is gone: which is not known.
    assert.deepStrictEqual(places(["a", "b", "c", "d"], ["a", "X", "d"]), [0, gone, gone, 2])
  })

  it("takes no line twice", () => {
    assert.deepStrictEqual(places(["a", "a", "b"], ["a", "b"]), [0, gone, 1])
    assert.deepStrictEqual(places(["x", "a", "a", "x"], ["a", "x"]).filter((place) => place === 0).length, 1)
  })

  it("does not follow where lines were added", () => {
    assert.isUndefined(follow(["a"], ["a", "b"]))
  })

  it("finds every line that is left of a large file, whatever was dropped", () => {
    const random = Random.make(3, "dropped lines")
    for (let round = 0; round < 50; round++) {
      const before = Array.from({ length: 200 }, (_, line) => `line ${line}`)
      const share = random.nextUniform()
      const kept = before.map((_, line) => line).filter(() => random.nextUniform() > share)
      const after = kept.map((line) => before[line]!)
      const found = places(before, after)
      for (const line of before.keys()) assert.strictEqual(found[line], kept.indexOf(line), `line ${line}`)
    }
  })
})
