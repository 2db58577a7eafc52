import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { BytePairMerges } from "../src/tokenizer/BytePairMerges.ts"
import { naiveMerge } from "./naiveTokenizer.ts"

/** Symbols are the letters a, b, c; every merge joins two symbols that exist, as training on a corpus makes them. */
const trained = fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 12 }).map((choices) => {
  const symbols = ["a", "b", "c"]
  const merges: Array<readonly [string, string]> = []
  for (const [i, j] of choices) {
    const pair = [symbols[i % symbols.length]!, symbols[j % symbols.length]!] as const
    if (symbols.includes(pair.join(""))) continue
    merges.push(pair)
    symbols.push(pair.join(""))
  }
  return { symbols, merges }
})

describe("BytePairMerges", () => {
  it("merges as trying every pair does", () => {
    const word = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 60 })
    fc.assert(
      fc.property(trained, word, ({ symbols, merges }, letters) => {
        const id = (symbol: string) => symbols.indexOf(symbol)
        const compiled = new BytePairMerges({
          left: Int32Array.from(merges, ([left]) => id(left)),
          right: Int32Array.from(merges, ([, right]) => id(right)),
          product: Int32Array.from(merges, (pair) => id(pair.join("")))
        })
        const ids = Int32Array.from(letters, id)
        const length = compiled.merge(ids, ids.length)
        const ranks = new Map(merges.map(([left, right], rank) => [`${left} ${right}`, rank]))
        assert.deepEqual(
          [...ids.subarray(0, length)].map((symbol) => symbols[symbol]!),
          naiveMerge(letters, ranks)
        )
      }),
      { seed: 21, numRuns: 2000 }
    )
  })

  it("leaves an odd symbol on the right of a run", () => {
    const merges = new BytePairMerges({ left: Int32Array.of(0), right: Int32Array.of(0), product: Int32Array.of(1) })
    const ids = new Int32Array(5)
    assert.deepEqual([...ids.subarray(0, merges.merge(ids, 5))], [1, 1, 0])
  })
})
