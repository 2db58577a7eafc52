import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { pieceEnd } from "../src/tokenizer/preTokenize.ts"
import { multilingual } from "./multilingual.ts"
import { naivePieces } from "./naiveTokenizer.ts"

const pieces = (text: string): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let start = 0; start < text.length; start += found.at(-1)!.length)
    found.push(text.slice(start, pieceEnd(text, start)))
  return found
}

describe("pieceEnd", () => {
  it("cuts where the reference's engine cuts", () => {
    const cut = (text: string) => pieces(text).join("|")
    assert.strictEqual(cut("Hello world!"), "Hello| world|!")
    assert.strictEqual(cut("I'M 12 years\n\n old  ."), "I|'M| |1|2| years|\n\n| old| | .")
    assert.strictEqual(cut("你好，世界123"), "你好|，世界|1|2|3")
    assert.strictEqual(cut(" \n \n a"), " \n \n| a")
    assert.strictEqual(cut("x'ſy 'LLama"), "x|'ſ|y| '|LLama")
  })

  it("knows the engine's white space: U+0085 is, U+FEFF is not", () => {
    assert.deepEqual(pieces("a\u0085\u0085b"), ["a", "\u0085", "\u0085b"])
    assert.deepEqual(pieces("a\ufeff\ufeffb"), ["a", "\ufeff\ufeff", "b"])
  })

  it("equals the pattern on generated texts", () => {
    fc.assert(
      fc.property(multilingual, (text) => assert.deepEqual(pieces(text), naivePieces(text))),
      { seed: 20, numRuns: 5000 }
    )
  })
})
