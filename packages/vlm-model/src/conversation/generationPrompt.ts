/** The prompt of a question, ready for the tokenizer: system turn, history, question, and the open answer. */
import * as Effect from "effect/Effect"
import { PromptInvalid } from "../Errors.ts"
import { messageHeader, renderMessage, systemMessageOf } from "./chatTemplate.ts"
import { expandPlaceholders, imagePlaceholder } from "./imagePlaceholders.ts"
import { type Rendered, words } from "./rendered.ts"

export interface PromptInput {
  readonly question: string
  /** Turns before the question, oldest first. */
  readonly history?: ReadonlyArray<{ readonly question: string; readonly answer: string }>
  /** Tiles of every image, history's included, in order. Default none. */
  readonly tilesPerImage?: ReadonlyArray<number>
  /** Visual tokens of one tile: 256 in the released models. */
  readonly tokensPerTile: number
  /** null or absent: the template's own. */
  readonly systemMessage?: string | null
}

/**
 * Renders a prompt. Without history and without `<image>` in the question, one image is put before the question as
 * `<image>\n`, several as `Image-1: <image>\n` and so on (the reference has no rule for several).
 * Fails with PromptInvalid when images are left without a placeholder; placeholders left over stay plain text, as do those
 * in answers, and control tokens that a text spells out.
 */
export const generationPrompt = Effect.fnUntraced(function* (
  input: PromptInput
): Effect.fn.Return<Rendered, PromptInvalid> {
  const { history = [], tilesPerImage = [], tokensPerTile } = input
  const question = history.length === 0 ? withPlaceholders(input.question, tilesPerImage.length) : input.question
  let used = 0
  const asked = (text: string): Rendered => {
    const expanded = expandPlaceholders(text, tilesPerImage.slice(used), tokensPerTile)
    used += expanded.used
    return renderMessage("user", expanded.pieces)
  }
  const rendered = [
    ...renderMessage("system", [words(systemMessageOf(input.systemMessage))]),
    ...history.flatMap((turn) => [...asked(turn.question), ...renderMessage("assistant", [words(turn.answer)])]),
    ...asked(question),
    ...messageHeader("assistant")
  ]
  if (used < tilesPerImage.length) {
    const reason = `${tilesPerImage.length} images, but only ${used} places marked ${imagePlaceholder}`
    return yield* new PromptInvalid({ reason: `${reason}; mark every image in the question or the history` })
  }
  return rendered
})

/**
 * A question with its images marked before it, as `generationPrompt` does without history; as it is where it marks them itself. `before`:
 * images of the turns before, which are counted on.
 */
export const withPlaceholders = (question: string, images: number, before = 0): string => {
  if (question.includes(imagePlaceholder)) return question
  if (images === 1 && before === 0) return `${imagePlaceholder}\n${question}`
  const marks = Array.from({ length: images }, (_, i) => `Image-${before + i + 1}: ${imagePlaceholder}\n`)
  return marks.join("") + question
}
