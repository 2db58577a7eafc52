/** JSON that people write by hand: what is wrong with it is said in their words, and a key that appears twice is refused. */
import { JsonCursor, JsonUnexpected } from "@speedq/formats"

/** A parsed value, or the reason why there is none. */
type Parsed = { readonly value: unknown } | { readonly reason: string }

/** Parses bytes of UTF-8; a byte order mark before them is no part of the text. */
export const parseStrictJson = (bytes: Uint8Array): Parsed => {
  let text: string
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return { reason: "not JSON: it is not UTF-8; save it in that encoding" }
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { reason: `not JSON: ${extension(text) ?? (error instanceof Error ? error.message : String(error))}` }
  }
  const repeated = repeatedKey(text)
  return repeated === undefined ? { value } : { reason: repeated }
}

/** JSON.parse keeps the last of two values with the same key, and says nothing. */
const repeatedKey = (text: string): string | undefined => {
  try {
    new JsonCursor(text).skip()
    return undefined
  } catch (error) {
    if (!(error instanceof JsonUnexpected)) throw error
    return error.message
  }
}

/** What editors and other software allow, and JSON does not: comments, commas before a closing bracket. */
const extension = (text: string): string | undefined => {
  // Strings are passed over, so that what is in them does not count.
  for (const { 0: found, index } of text.matchAll(/"(?:[^"\\\n]|\\.)*"|\/\/|\/\*|#|,(?=\s*[}\]])/g)) {
    if (found.startsWith('"')) continue
    const line = text.slice(0, index).split("\n").length
    return found === ","
      ? `line ${line} has a comma before a closing bracket; take it out`
      : `line ${line} has a comment, which JSON does not know; take it out`
  }
  return undefined
}
