/**
 * Qwen2's pre-tokenizer: where the next piece of a text ends. Merges never cross pieces.
 *
 * The same pieces as this pattern of Python's `regex` engine:
 *   (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
 * Written out as a scanner because a JavaScript RegExp backtracks over megabytes of one character, its \s lacks
 * U+0085 and has U+FEFF, and the scanner reads each character at most three times.
 */

/** The pattern as tokenizer.json states it; a file with another one describes another tokenizer. */
export const qwen2Pattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

const Letter = 1
const Digit = 2
const Space = 3
const Break = 4 // \r and \n: white space that ends lines
const Other = 5

const whiteSpace = /[\u0009-\u000d\u0020\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/

const classify = (code: number): number => {
  if (code === 0x0a || code === 0x0d) return Break
  const character = String.fromCodePoint(code)
  if (whiteSpace.test(character)) return Space
  if (/\p{L}/u.test(character)) return Letter
  return /\p{N}/u.test(character) ? Digit : Other
}

// Filled on first sight; 0 is "not seen yet".
const classes = new Uint8Array(0x110000)
const classOf = (code: number): number => classes[code] || (classes[code] = classify(code))

const isHighSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xd800
const codeAt = (text: string, at: number): number => {
  const unit = text.charCodeAt(at)
  return isHighSurrogate(unit) ? text.codePointAt(at)! : unit
}
const widthOf = (code: number): number => (code > 0xffff ? 2 : 1)

/** Length of one of 's 't 're 've 'm 'll 'd, in either case, at an apostrophe; 0 when there is none. */
const contraction = (text: string, at: number): number => {
  const first = text.charCodeAt(at + 1)
  // U+017F (long s) is an s to the reference's engine when it ignores case.
  if (first === 0x17f) return 2
  switch (first | 0x20) {
    case 0x73: // s
    case 0x74: // t
    case 0x6d: // m
    case 0x64: // d
      return 2
  }
  const second = text.charCodeAt(at + 2) | 0x20
  switch (first | 0x20) {
    case 0x72: // re
    case 0x76: // ve
      return second === 0x65 ? 3 : 0
    case 0x6c: // ll
      return second === 0x6c ? 3 : 0
  }
  return 0
}

/** First index from `at` on whose class is none of the two. */
const skip = (text: string, at: number, wanted: number, also: number = wanted): number => {
  while (at < text.length) {
    const code = codeAt(text, at)
    const kind = classOf(code)
    if (kind !== wanted && kind !== also) break
    at += widthOf(code)
  }
  return at
}

const classAt = (text: string, at: number): number => (at < text.length ? classOf(codeAt(text, at)) : 0)

const whiteSpaceEnd = (text: string, start: number): number => {
  const end = skip(text, start, Space, Break)
  // Up to the last line break of the run, if there is one.
  for (let at = end; at > start; at--) if (classes[text.charCodeAt(at - 1)] === Break) return at
  // The last white-space character goes with what follows it.
  return end === text.length || end === start + 1 ? end : end - 1
}

/** End of the piece that starts at `start`, which must be less than the length of the text. */
export const pieceEnd = (text: string, start: number): number => {
  const code = codeAt(text, start)
  const kind = classOf(code)
  if (kind === Letter) return skip(text, start, Letter)
  if (kind === Digit) return start + widthOf(code)
  if (code === 0x27) {
    const length = contraction(text, start)
    if (length > 0) return start + length
  }
  const next = start + widthOf(code)
  if (kind !== Break && classAt(text, next) === Letter) return skip(text, next, Letter)
  if (kind === Other || (code === 0x20 && classAt(text, next) === Other)) {
    return skip(text, skip(text, next, Other), Break)
  }
  return whiteSpaceEnd(text, start)
}
