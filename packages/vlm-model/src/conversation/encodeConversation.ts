/** A training conversation as token ids, with labels on what the assistant says. */
import { ignoredLabel } from "@speedq/tensors"
import * as Result from "effect/Result"
import { startIds, type Tokenizer } from "../tokenizer/Tokenizer.ts"
import { defaultSystemMessage, messageHeader, type Role, renderMessage } from "./chatTemplate.ts"
import { expandPlaceholders, imagePlaceholder } from "./imagePlaceholders.ts"
import { encodeRendered, type Rendered, spellOut, words } from "./rendered.ts"

export interface Turn {
  readonly from: "system" | "human" | "gpt"
  readonly value: string
}

/** All arrays but `cutOff` are [L]. */
export interface EncodedConversation {
  readonly inputIds: Int32Array
  /** The id itself where the assistant speaks, -100 elsewhere. Not shifted. */
  readonly labels: Int32Array
  /** 1, but 0 on a literal <|endoftext|> (InternLM2: </s>) in the text. */
  readonly attentionMask: Uint8Array
  /** Counts the positions of mask 1 from 0; 1 where the mask is 0. */
  readonly positionIds: Int32Array
  /** Ids beyond `maxLength`, which were cut off. */
  readonly cutOff: Int32Array
}

export interface EncodeOptions {
  readonly tokenizer: Tokenizer
  /** Visual tokens of one tile. */
  readonly tokensPerTile: number
  /** Ids beyond are cut off. */
  readonly maxLength: number
  /** What a control token becomes that a turn spells out: that token, as in the reference, or text. Default "token". */
  readonly spelledOut?: "token" | "text"
}

/** Why turns that show `images` images cannot be encoded: a system turn that is not the first, or an image without a place. */
export const turnsFault = (turns: ReadonlyArray<Turn>, images: number): string | undefined => {
  const misplaced = turns.findIndex(({ from }, index) => from === "system" && index > 0)
  if (misplaced > 0) return `turn ${misplaced + 1} is a system turn; only the first can be one`
  const asked = turns.filter(({ from }) => from === "human")
  const places = asked.reduce((sum, { value }) => sum + value.split(imagePlaceholder).length - 1, 0)
  return places < images ? `${images} images, but ${places} <image> in the human turns` : undefined
}

/**
 * Encodes turns; images replace `<image>` in human turns. A first turn `system` replaces the template's message.
 * Fails with a reason: a later system turn, or fewer placeholders than images.
 */
export const encodeConversation = (
  turns: ReadonlyArray<Turn>,
  tilesPerImage: ReadonlyArray<number>,
  options: EncodeOptions
): Result.Result<EncodedConversation, string> => {
  const { tokenizer, tokensPerTile, maxLength } = options
  const fault = turnsFault(turns, tilesPerImage.length)
  if (fault !== undefined) return Result.fail(fault)
  const system = turns[0]?.from === "system" ? turns[0].value : undefined
  const spoken = system === undefined ? turns : turns.slice(1)
  const start = startIds(tokenizer)
  const segments: Array<Int32Array> = [start]
  const labels: Array<Int32Array> = [new Int32Array(start.length).fill(ignoredLabel)]
  const add = (role: Role, content: Rendered) => {
    const message = renderMessage(role, content)
    const ids = options.spelledOut === "text" ? encodeRendered(tokenizer, message) : tokenizer.encode(spellOut(message))
    segments.push(ids)
    labels.push(
      role === "assistant" ? answerLabels(ids, headerLength(tokenizer)) : new Int32Array(ids.length).fill(ignoredLabel)
    )
  }
  add("system", [words(system ?? defaultSystemMessage)])
  let used = 0
  for (const { from, value } of spoken) {
    if (from === "gpt") add("assistant", [words(value)])
    else {
      const expanded = expandPlaceholders(value, tilesPerImage.slice(used), tokensPerTile)
      used += expanded.used
      add("user", expanded.pieces)
    }
  }
  const whole = concatenate(segments)
  const inputIds = whole.slice(0, maxLength)
  return Result.succeed({
    inputIds,
    labels: concatenate(labels).slice(0, maxLength),
    cutOff: whole.slice(maxLength),
    ...maskAndPositions(inputIds, tokenizer.tokenId(tokenizer.endOfText))
  })
}

// 3 for the released tokenizer: <|im_start|>, assistant, \n. An answer that merges with the newline keeps this count.
const headerLength = (tokenizer: Tokenizer): number => encodeRendered(tokenizer, messageHeader("assistant")).length

/** Everything is a label but the header and the newline after <|im_end|>. */
const answerLabels = (ids: Int32Array, header: number): Int32Array =>
  Int32Array.from(ids)
    .fill(ignoredLabel, 0, header)
    .fill(ignoredLabel, ids.length - 1)

const maskAndPositions = (ids: Int32Array, padding: number | undefined) => {
  const attentionMask = Uint8Array.from(ids, (id) => (id === padding ? 0 : 1))
  let position = 0
  const positionIds = Int32Array.from(attentionMask, (mask) => (mask === 1 ? position++ : 1))
  return { attentionMask, positionIds }
}

const concatenate = (parts: ReadonlyArray<Int32Array>): Int32Array => {
  const whole = new Int32Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
