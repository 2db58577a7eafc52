import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { defaultSystemMessage, generationPrompt, PromptInvalid, systemMessageOf } from "../src/index.ts"

const image = (tokens: number) => `<img>${"<IMG_CONTEXT>".repeat(tokens)}</img>`
const system = `<|im_start|>system\n${defaultSystemMessage}<|im_end|>\n`
const user = (text: string) => `<|im_start|>user\n${text}<|im_end|>\n`
const assistant = "<|im_start|>assistant\n"

describe("generationPrompt", () => {
  it.effect("has the system turn, the question and an open answer", () =>
    Effect.gen(function* () {
      assert.strictEqual([...defaultSystemMessage].length, 58)
      const prompt = yield* generationPrompt({ question: "Who are you?", tokensPerTile: 256 })
      assert.strictEqual(prompt, system + user("Who are you?") + assistant)
      const own = yield* generationPrompt({ question: "?", tokensPerTile: 1, systemMessage: "Be brief." })
      assert.strictEqual(own, `<|im_start|>system\nBe brief.<|im_end|>\n${user("?")}${assistant}`)
      assert.strictEqual(systemMessageOf(null), defaultSystemMessage)
    })
  )

  it.effect("puts images before a question without places for them", () =>
    Effect.gen(function* () {
      const one = yield* generationPrompt({ question: "What?", tilesPerImage: [7], tokensPerTile: 9 })
      assert.strictEqual(one, system + user(`${image(63)}\nWhat?`) + assistant)
      const two = yield* generationPrompt({ question: "Which?", tilesPerImage: [1, 2], tokensPerTile: 2 })
      assert.strictEqual(two, system + user(`Image-1: ${image(2)}\nImage-2: ${image(4)}\nWhich?`) + assistant)
    })
  )

  it.effect("fills the places in order, through history and question", () =>
    Effect.gen(function* () {
      const prompt = yield* generationPrompt({
        history: [{ question: "<image>\nFirst?", answer: "One." }],
        question: "And <image>? And <image>?",
        tilesPerImage: [1, 2],
        tokensPerTile: 1
      })
      const history = `${user(`${image(1)}\nFirst?`)}${assistant}One.<|im_end|>\n`
      assert.strictEqual(prompt, `${system}${history}${user(`And ${image(2)}? And <image>?`)}${assistant}`)
    })
  )

  it.effect("fails when an image has no place, and adds none where there is a history", () =>
    Effect.gen(function* () {
      const marked = { question: "<image>?", tilesPerImage: [1, 1], tokensPerTile: 1 }
      const error = yield* Effect.flip(generationPrompt(marked))
      assert.instanceOf(error, PromptInvalid)
      assert.match(error.message, /2 images, but only 1 places/)
      const later = { question: "?", history: [{ question: "a", answer: "b" }], tilesPerImage: [1], tokensPerTile: 1 }
      assert.instanceOf(yield* Effect.flip(generationPrompt(later)), PromptInvalid)
    })
  )
})
