/** Python list literals in cells, `['a', "b"]`: lists of strings only, and nothing is executed. */

const simpleEscapes = new Map(
  Object.entries({
    "\n": "",
    "\\": "\\",
    "'": "'",
    '"': '"',
    a: "\x07",
    b: "\b",
    f: "\f",
    n: "\n",
    r: "\r",
    t: "\t",
    v: "\v"
  })
)
const hexLengths = new Map(Object.entries({ x: 2, u: 4, U: 8 }))

/** Reads a Python list of strings. Throws SyntaxError with the position when the text is anything else. */
export const parseStringList = (text: string): readonly string[] => {
  let at = 0
  const fail = (what: string): never => {
    throw new SyntaxError(`not a Python list of strings: ${what} at character ${at + 1}`)
  }
  const skipSpace = (): void => {
    while (" \t\n\r\f".includes(text[at] ?? "x")) at++
  }

  const escaped = (): string => {
    const letter = text[at++] ?? fail("the text ends inside a string")
    const simple = simpleEscapes.get(letter)
    if (simple !== undefined) return simple
    const length = hexLengths.get(letter)
    if (length !== undefined) {
      const digits = text.slice(at, at + length)
      const code = Number.parseInt(digits, 16)
      if (!/^[0-9a-fA-F]+$/.test(digits) || digits.length < length || code > 0x10ffff)
        fail(`a broken \\${letter} escape`)
      at += length
      return String.fromCodePoint(code)
    }
    const octal = /^[0-7]{1,3}/.exec(text.slice(at - 1, at + 2))?.[0]
    // Python keeps the backslash of an escape that it does not know: "\sum" stays, while "\frac" starts with a form feed.
    if (octal === undefined) return `\\${letter}`
    at += octal.length - 1
    return String.fromCharCode(Number.parseInt(octal, 8))
  }

  const quoted = (): string => {
    const quote = text[at] ?? ""
    if (quote !== "'" && quote !== '"') fail("a string was expected")
    at++
    const pieces: string[] = []
    for (;;) {
      const start = at
      // A run without escapes, a whole base64 image for instance, is taken in one slice.
      while (at < text.length && text[at] !== quote && text[at] !== "\\") at++
      if (at > start) pieces.push(text.slice(start, at))
      if (at >= text.length) fail("the text ends inside a string")
      if (text[at++] === quote) return pieces.join("")
      pieces.push(escaped())
    }
  }

  const items: string[] = []
  skipSpace()
  if (text[at] !== "[") fail("a list was expected")
  at++
  for (skipSpace(); text[at] !== "]"; skipSpace()) {
    let item = quoted()
    // Adjacent strings are one string, as in Python.
    for (skipSpace(); text[at] === "'" || text[at] === '"'; skipSpace()) item += quoted()
    items.push(item)
    if (text[at] === ",") at++
    else if (text[at] !== "]") fail('"," or "]" was expected')
  }
  at++
  skipSpace()
  if (at !== text.length) fail("text after the list")
  return items
}
