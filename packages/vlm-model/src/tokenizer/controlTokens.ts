/** Tokens that give a sequence its form: turns, pictures, ends. A text that spells one out must not become it. */
import {
  endOfText,
  groundingTokens,
  imageContext,
  imageEnd,
  imageStart,
  messageEnd,
  messageStart
} from "./SpecialTokens.ts"
import type { Tokenizer } from "./Tokenizer.ts"

const ofChat = [endOfText, messageStart, messageEnd, imageStart, imageEnd, imageContext]

/** Texts of a tokenizer's control tokens: all special ones but `<ref>`, `<box>` and `<quad>`, which InternVL's own data has in its texts. */
export const controlTokens = (tokenizer: Tokenizer): ReadonlySet<string> => {
  const special = tokenizer.addedTokens.filter(({ text, special }) => special && !groundingTokens.includes(text))
  return new Set([...ofChat, ...special.map(({ text }) => text)])
}

/** The first control token that a text would become a part of, as the tokenizer sees it. */
export const controlTokenIn = (text: string, control: ReadonlySet<string>): string | undefined => {
  const normalized = text.normalize("NFC")
  let first: { readonly token: string; readonly at: number } | undefined
  for (const token of control) {
    const at = normalized.indexOf(token)
    if (at >= 0 && (first === undefined || at < first.at)) first = { token, at }
  }
  return first?.token
}
