/** JSON from outside. What nests without end would exhaust the stack of whoever walks through it, so it is not even parsed. */
import * as Schema from "effect/Schema"

/** Far more than any of our files has. */
export const mostNested = 100

const bracketOrText = /[[\]{}"]/g
const quoteOrEscape = /["\\]/g

/** The place behind the quote that ends the text which begins at `start`; the end where nothing does. */
export const endOfText = (text: string, start: number): number => {
  quoteOrEscape.lastIndex = start + 1
  for (let found = quoteOrEscape.exec(text); found !== null; found = quoteOrEscape.exec(text)) {
    if (found[0] === '"') return quoteOrEscape.lastIndex
    quoteOrEscape.lastIndex++
  }
  return text.length
}

/** Whether values of a text of JSON are nested deeper than {@link mostNested}. Reads it once. */
const isDeep = (text: string): boolean => {
  let nested = 0
  bracketOrText.lastIndex = 0
  for (let found = bracketOrText.exec(text); found !== null; found = bracketOrText.exec(text)) {
    const [character] = found
    if (character === '"') bracketOrText.lastIndex = endOfText(text, found.index)
    else nested += character === "[" || character === "{" ? 1 : -1
    if (nested > mostNested) return true
  }
  return false
}

const tooDeep = `values are nested deeper than ${mostNested}`

/** The value of a text of JSON. Throws SyntaxError. */
export const parseJson = (text: string): unknown => {
  if (isDeep(text)) throw new SyntaxError(tooDeep)
  return JSON.parse(text)
}

const Shallow = Schema.String.check(Schema.makeFilter((text) => !isDeep(text) || tooDeep))

/** A schema's value as a text of JSON, as `Schema.fromJsonString` has it. */
export const jsonString = <S extends Schema.Top>(schema: S, options?: Parameters<typeof Schema.fromJsonString>[1]) =>
  Shallow.pipe(Schema.decodeTo(Schema.fromJsonString(schema, options)))
