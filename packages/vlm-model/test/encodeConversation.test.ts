import { ignoredLabel } from "@speedq/tensors"
import * as Result from "effect/Result"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import { defaultSystemMessage, encodeConversation, type Turn } from "../src/index.ts"
import { fixtureJson, sha256OfNumbers } from "./fixture.ts"
import { multilingual } from "./multilingual.ts"
import { qwen } from "./qwen.ts"

interface Case {
  readonly turns: ReadonlyArray<Turn>
  readonly tiles: ReadonlyArray<number>
  readonly tokensPerTile: number
  readonly maxLength: number
  readonly rejected?: true
  readonly length: number
  readonly answers: number
  readonly inputIds: string
  readonly labels: string
  readonly attentionMask: string
  readonly positionIds: string
}

const options = { tokenizer: qwen, tokensPerTile: 2, maxLength: 8192 }
const encoded = (turns: ReadonlyArray<Turn>, tiles: ReadonlyArray<number> = [], more: Partial<typeof options> = {}) =>
  Result.getOrThrow(encodeConversation(turns, tiles, { ...options, ...more }))
const reason = (turns: ReadonlyArray<Turn>, tiles: ReadonlyArray<number> = []): string =>
  Result.getOrThrow(Result.flip(encodeConversation(turns, tiles, options)))
const human = (value: string): Turn => ({ from: "human", value })
const gpt = (value: string): Turn => ({ from: "gpt", value })

describe("encodeConversation", () => {
  it("gives the reference's ids, labels, masks and positions", () => {
    const cases = fixtureJson<ReadonlyArray<Case>>("conversations.json")
    assert.isAbove(cases.filter((row) => row.rejected === undefined).length, 20)
    for (const row of cases) {
      const result = encodeConversation(row.turns, row.tiles, { tokenizer: qwen, ...row })
      assert.strictEqual(Result.isFailure(result), row.rejected ?? false)
      if (Result.isFailure(result)) continue
      const { inputIds, labels, attentionMask, positionIds } = result.success
      assert.deepEqual(
        [inputIds.length, labels.filter((label) => label !== ignoredLabel).length],
        [row.length, row.answers]
      )
      assert.strictEqual(sha256OfNumbers(inputIds), row.inputIds)
      assert.strictEqual(sha256OfNumbers(labels), row.labels)
      assert.strictEqual(sha256OfNumbers(attentionMask), row.attentionMask)
      assert.strictEqual(sha256OfNumbers(positionIds), row.positionIds)
    }
  })

  it("renders the template and labels only what the assistant says, with <|im_end|>, without the newline after it", () => {
    const { inputIds, labels } = encoded([human("<image>\nWhat?"), gpt("A cat.")], [1])
    assert.strictEqual(
      qwen.decode(inputIds),
      `<|im_start|>system\n${defaultSystemMessage}<|im_end|>\n<|im_start|>user\n<img><IMG_CONTEXT><IMG_CONTEXT></img>\nWhat?<|im_end|>\n<|im_start|>assistant\nA cat.<|im_end|>\n`
    )
    assert.strictEqual(qwen.decode(labels.filter((label) => label >= 0)), "A cat.<|im_end|>")
    assert.strictEqual(labels.at(-1), ignoredLabel)
    for (const [i, label] of labels.entries()) assert.isTrue(label === ignoredLabel || label === inputIds[i])
  })

  it("masks three header tokens even where the answer merges with the header's newline", () => {
    const { inputIds, labels } = encoded([human("x"), gpt("\nyes")])
    const start = inputIds.lastIndexOf(qwen.tokenId("<|im_start|>")!)
    // "\n\n" is one token, so the mask covers it: the answer's own newline is lost from the labels.
    assert.strictEqual(inputIds[start + 2], qwen.tokenId("\n\n"))
    assert.deepEqual(
      [...labels.subarray(start, start + 4)],
      [ignoredLabel, ignoredLabel, ignoredLabel, qwen.tokenId("yes")]
    )
  })

  it("takes a first system turn for the system message", () => {
    const { inputIds } = encoded([{ from: "system", value: "Be brief." }, human("Hi"), gpt("Hi")])
    assert.isTrue(qwen.decode(inputIds).startsWith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n"))
  })

  it("says why a conversation is none", () => {
    assert.match(reason([human("a"), { from: "system", value: "b" }]), /turn 2 is a system turn/)
    assert.match(reason([{ from: "system", value: "a" }, human("b"), { from: "system", value: "c" }]), /turn 3/)
    assert.match(reason([human("<image> two"), gpt("<image>")], [1, 1]), /2 images, but 1 <image> in the human turns/)
  })

  it("leaves extra placeholders as text and never cuts more than the end", () => {
    const turns = [human("<image> and <image>"), gpt("ok")]
    assert.include(qwen.decode(encoded(turns, [1]).inputIds), "</img> and <image><|im_end|>")
    const whole = encoded(turns, [3])
    for (const maxLength of [1, 40, 60, whole.inputIds.length]) {
      const cut = encoded(turns, [3], { maxLength })
      assert.deepEqual(cut.inputIds, whole.inputIds.slice(0, maxLength))
      assert.deepEqual(cut.labels, whole.labels.slice(0, maxLength))
    }
  })

  it("joins segments that were encoded apart, whatever they say", () => {
    fc.assert(
      fc.property(multilingual, multilingual, (question, answer) => {
        const { inputIds, labels, attentionMask, positionIds } = encoded([human(question), gpt(answer)])
        const segment = qwen.encode(`<|im_start|>assistant\n${answer}<|im_end|>\n`)
        assert.deepEqual(inputIds.slice(-segment.length), segment)
        const labelled = labels.filter((label) => label !== ignoredLabel)
        assert.deepEqual(labelled, segment.slice(3, -1))
        let position = 0
        for (const [i, mask] of attentionMask.entries()) {
          assert.strictEqual(mask, inputIds[i] === 151643 ? 0 : 1)
          assert.strictEqual(positionIds[i], mask === 1 ? position++ : 1)
        }
      }),
      { seed: 40, numRuns: 300 }
    )
  })
})
