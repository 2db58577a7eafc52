/** Python's string operations where JavaScript's differ: white space, lengths in code points, lower case. */

// str.isspace() of Python. JavaScript's \s lacks U+001C-001F and U+0085 and adds U+FEFF.
const whiteSpace = "\\t-\\r\\x1c- \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
const runs = new RegExp(`[${whiteSpace}]+`, "u")
const ends = new RegExp(`^[${whiteSpace}]+|[${whiteSpace}]+$`, "gu")

/** The characters of `str.isspace()`, to be put into a character class. */
export const pythonWhiteSpace = whiteSpace

/** `text.split()`: cut at runs of white space, no empty pieces. */
export const splitWords = (text: string): readonly string[] => text.split(runs).filter((word) => word !== "")

/** `text.strip()`. */
export const strip = (text: string): string => text.replace(ends, "")

/** `text.lower()`: full Unicode lower case, not the locale's. */
export const lower = (text: string): string => text.toLowerCase()

/** `len(text)`: code points, not UTF-16 units. */
export const codePoints = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}
