/** What a module imports, exports from, or loads when it runs: the specifiers alone, read from its text. */

/** A comment, a string that is no specifier, or a specifier after `from`, `import` or `import(`: whichever begins first. */
const token =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|\b(?:from|import)\s*\(?\s*(["'])(?<specifier>[^"'\n]+)\1|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g

export const specifiersOf = (text: string): readonly string[] =>
  Array.from(text.matchAll(token), ({ groups }) => groups?.specifier).filter((specifier) => specifier !== undefined)
