import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { fixtureJson } from "./fixture.ts"
import { multilingual } from "./multilingual.ts"
import { naiveTokenizer } from "./naiveTokenizer.ts"
import { qwen, qwenParts } from "./qwen.ts"

const encode = (text: string): ReadonlyArray<number> => [...qwen.encode(text)]

describe("Tokenizer with the vocabulary of Qwen2.5", () => {
  it("gives the ids that the reference's engine gives, over 1500 texts", () => {
    const rows = fixtureJson<ReadonlyArray<readonly [string, ReadonlyArray<number>]>>("qwen2Encodings.json")
    assert.isAtLeast(rows.length, 1500)
    for (const [text, ids] of rows) assert.deepEqual(encode(text), ids, JSON.stringify(text))
  })

  it("knows the tokens and their ids", () => {
    assert.strictEqual(qwen.vocabSize, 151674)
    const ids = { "!": 0, "\n": 198, system: 8948, user: 872, assistant: 77091, "<|endoftext|>": 151643 }
    for (const [text, id] of Object.entries(ids)) assert.strictEqual(qwen.tokenId(text), id, text)
    assert.deepEqual(encode("<|im_start|>assistant\n"), [151644, 77091, 198])
    assert.deepEqual(encode("<img><IMG_CONTEXT></img>"), [151665, 151667, 151666])
    assert.isUndefined(qwen.tokenId("<image>"))
    assert.isUndefined(qwen.tokenId("no such token"))
    assert.deepEqual(encode(""), [])
  })

  it("equals the definition, and decodes to the NFC of the text, in many scripts", () => {
    const naive = naiveTokenizer(qwenParts)
    fc.assert(
      fc.property(multilingual, (text) => {
        const ids = encode(text)
        assert.deepEqual(ids, naive(text))
        for (const id of ids) assert.isTrue(id >= 0 && id < qwen.vocabSize)
        // A lone half of a surrogate pair has no bytes; the text gets U+FFFD in its place.
        const wellFormed = new TextDecoder("utf-8", { ignoreBOM: true }).decode(Buffer.from(text.normalize("NFC")))
        assert.strictEqual(qwen.decode(ids), wellFormed)
      }),
      { seed: 22, numRuns: 4000 }
    )
  })

  it("finds added tokens in user text, the longest first, special or not", () => {
    for (const { text, id } of qwen.addedTokens) assert.deepEqual(encode(text), [id])
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...qwen.addedTokens), { maxLength: 8 }), (tokens) => {
        const ids = encode(tokens.map(({ text }) => `x${text}`).join(""))
        assert.deepEqual(
          ids.filter((id) => id >= 151643),
          tokens.map(({ id }) => id)
        )
      }),
      { seed: 23 }
    )
  })

  it("normalizes before it looks for added tokens", () => {
    // > and U+0338 compose to U+226F.
    assert.notInclude(encode("<img>\u0338"), 151665)
    assert.strictEqual(qwen.decode(encode("<img>\u0338")), "<img\u226f")
  })

  it("leaves special tokens out on request, and joins the bytes around them", () => {
    const [first, ...rest] = encode("\u{1F9A9}")
    const ids = [first!, 151645, ...rest, qwen.tokenId("<tool_call>")!]
    assert.strictEqual(qwen.decode(ids, { skipSpecial: true }), "\u{1F9A9}<tool_call>")
    assert.include(qwen.decode(ids), "\ufffd<|im_end|>")
  })

  it("decodes any ids, broken characters and spare rows as U+FFFD", () => {
    assert.strictEqual(qwen.decode([]), "")
    assert.strictEqual(qwen.decode([0, 160000]), "!\ufffd")
    assert.throws(() => qwen.decode([0, -100]), RangeError, "-100")
    assert.throws(() => qwen.decode([1.5]), RangeError, "1.5")
    fc.assert(
      fc.property(fc.array(fc.nat(151673), { maxLength: 30 }), (ids) => {
        assert.strictEqual(qwen.decode(ids), qwen.decode(Int32Array.from(ids)))
      }),
      { seed: 24 }
    )
  })

  // Quadratic work on any of these would take hours.
  it.each(["a", " ", "1", "!", "\n", "中", "<", " \n", "e\u0301", "ab", "\u{1F9A9}"])(
    "encodes a megabyte of %j",
    (unit) => {
      const text = unit.repeat(Math.ceil(2 ** 20 / Buffer.byteLength(unit)))
      for (const hostile of [text, `${text}x`]) {
        assert.strictEqual(qwen.decode(qwen.encode(hostile)), hostile.normalize("NFC"))
      }
    }
  )
})
