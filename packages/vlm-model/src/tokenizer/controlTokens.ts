/** Tokens that give a sequence its form: turns, pictures, ends. A text that spells one out must not become it. */
import { groundingTokens, imageContext, imageEnd, imageStart, messageEnd, messageStart } from "./SpecialTokens.ts"
import type { Tokenizer } from "./Tokenizer.ts"

const ofChat = [messageStart, messageEnd, imageStart, imageEnd, imageContext]

/** Texts of a tokenizer's control tokens: all special ones but `<ref>`, `<box>` and `<quad>`, which InternVL's own data has in its texts. */
export const controlTokens = (tokenizer: Tokenizer): ReadonlySet<string> => {
  const special = tokenizer.addedTokens.filter(({ text, special }) => special && !groundingTokens.includes(text))
  return new Set([tokenizer.endOfText, ...ofChat, ...special.map(({ text }) => text)])
}

/** The first of the control tokens that a text would become a part of, as the tokenizer sees it. */
export const controlTokenIn = (
  text: string,
  tokenizer: Tokenizer,
  control = controlTokens(tokenizer)
): string | undefined => {
  const normalized = tokenizer.normalize(text)
  let first: { readonly token: string; readonly at: number } | undefined
  for (const token of control) {
    const at = normalized.indexOf(token)
    if (at >= 0 && (first === undefined || at < first.at)) first = { token, at }
  }
  return first?.token
}
