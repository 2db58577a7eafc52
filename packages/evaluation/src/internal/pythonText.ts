/** Python's string operations where JavaScript's differ: white space, lengths in code points, lower case. */

// str.isspace() of Python. JavaScript's \s lacks U+001C-001F and U+0085 and adds U+FEFF.
const whiteSpace = "\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
const runs = new RegExp(`[${whiteSpace}]+`, "u")
const isSpace = new RegExp(`[${whiteSpace}]`, "u")

/** The characters of `str.isspace()`, to be put into a character class. */
export const pythonWhiteSpace = whiteSpace

/** `text.split()`: cut at runs of white space, no empty pieces. */
export const splitWords = (text: string): readonly string[] => text.split(runs).filter((word) => word !== "")

/** `text` from the first to the last character for which `isOuter` does not hold. */
const between = (text: string, isOuter: (character: string) => boolean): string => {
  let [from, to] = [0, text.length]
  while (from < to && isOuter(text[from]!)) from++
  while (from < to && isOuter(text[to - 1]!)) to--
  return text.slice(from, to)
}

/** `text.strip()`. */
export const strip = (text: string): string => between(text, (character) => isSpace.test(character))

/** `text.strip(characters)`, of characters of 16 bits. */
export const trimmed = (text: string, characters: string): string => between(text, (each) => characters.includes(each))

/** `text.lower()`: full Unicode lower case, not the locale's. */
export const lower = (text: string): string => text.toLowerCase()

/** `len(text)`: code points, not UTF-16 units. */
export const codePoints = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}
