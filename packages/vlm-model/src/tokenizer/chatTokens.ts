/** Ids of the tokens that conversations and images are made of. */
import * as Effect from "effect/Effect"
import { SpecialTokenMissing } from "../Errors.ts"
import { imageContext, imageEnd, imageStart, messageEnd, messageStart } from "./SpecialTokens.ts"
import type { Tokenizer } from "./Tokenizer.ts"

const chatTexts = { messageStart, messageEnd, imageStart, imageEnd, imageContext }

export type ChatTokens = Readonly<Record<keyof typeof chatTexts | "endOfText", number>>

/** Looks the ids up by text. Fails with SpecialTokenMissing, naming every token that the tokenizer lacks. */
export const chatTokens = Effect.fnUntraced(function* (
  tokenizer: Tokenizer
): Effect.fn.Return<ChatTokens, SpecialTokenMissing> {
  const texts = { endOfText: tokenizer.endOfText, ...chatTexts }
  const missing = Object.values(texts).filter((text) => tokenizer.tokenId(text) === undefined)
  if (missing.length > 0) return yield* new SpecialTokenMissing({ tokens: missing })
  const id = (text: string): number => tokenizer.tokenId(text)!
  return {
    endOfText: id(texts.endOfText),
    messageStart: id(messageStart),
    messageEnd: id(messageEnd),
    imageStart: id(imageStart),
    imageEnd: id(imageEnd),
    imageContext: id(imageContext)
  }
})
