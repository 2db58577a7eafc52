/**
 * Strict pull parser of JSON from untrusted files. It refuses what JSON.parse hides (duplicate keys, integers that are not exact)
 * and what makes JSON.parse slow or large (deep nesting, values nobody asked for): it builds only what its caller takes.
 */

/** The text is not JSON, or not of the form that was asked for. */
export class JsonUnexpected extends Error {}

// Far past what any model needs, far below what exhausts stack or memory.
const maxDepth = 100
const maxKeys = 1_000_000
const maxItems = 1_000
const count = /(?:0|[1-9][0-9]{0,15})(?![0-9.eE])/y
const anyNumber = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const keyword = /true|false|null/y

export class JsonCursor {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  /** Takes an object: `field` is called after each key and must take the value. */
  object(field: (key: string) => void): void {
    const seen = new Set<string>()
    this.#list("{", "}", () => {
      const key = this.string()
      if (seen.has(key)) this.#fail(`the key ${excerpt(key)} appears twice`)
      if (seen.size === maxKeys) this.#fail(`an object has more than ${maxKeys} keys`)
      seen.add(key)
      if (!this.#take(":")) this.#fail("expected ':'")
      field(key)
    })
  }

  /** Takes an array: `item` must take one element. */
  array<A>(item: () => A): Array<A> {
    const items: Array<A> = []
    this.#list("[", "]", () => {
      if (items.length === maxItems) this.#fail(`an array has more than ${maxItems} elements`)
      items.push(item())
    })
    return items
  }

  /** Takes a string; one that no UTF-8 can spell (half a surrogate pair) is refused. */
  string(): string {
    this.#space()
    const start = this.#at
    if (this.#text[start] !== '"') this.#fail("expected a string")
    let end = this.#text.indexOf('"', start + 1)
    while (end !== -1 && this.#escaped(end)) end = this.#text.indexOf('"', end + 1)
    if (end === -1) this.#fail("this string has no end")
    this.#at = end + 1
    const raw = this.#text.slice(start + 1, end)
    if (!/[\\\u0000-\u001f]/.test(raw)) return raw
    const value = unescaped(raw)
    if (value === undefined || /\p{Surrogate}/u.test(value)) {
      this.#at = start
      this.#fail("this string has an invalid escape or a control character")
    }
    return value
  }

  /** Takes an integer from 0 to 2^53 - 1, written as plain digits. */
  count(): number {
    const value = Number(this.#match(count) ?? Number.NaN)
    if (!Number.isSafeInteger(value)) this.#fail("expected a whole number from 0 to 2^53 - 1")
    return value
  }

  /** Takes a value of any kind and forgets it. */
  skip(depth = 0): void {
    if (depth > maxDepth) this.#fail(`values are nested deeper than ${maxDepth}`)
    this.#space()
    const next = this.#text[this.#at]
    if (next === "{") this.object(() => this.skip(depth + 1))
    else if (next === "[") this.#list("[", "]", () => this.skip(depth + 1))
    else if (next === '"') this.string()
    else if ((this.#match(keyword) ?? this.#match(anyNumber)) === undefined) this.#fail("expected a value")
  }

  /** Refuses anything but white space in what is left. */
  end(): void {
    this.#space()
    if (this.#at < this.#text.length) this.#fail("expected nothing more")
  }

  #list(open: string, close: string, element: () => void): void {
    if (!this.#take(open)) this.#fail(`expected '${open}'`)
    if (this.#take(close)) return
    do element()
    while (this.#take(","))
    if (!this.#take(close)) this.#fail(`expected ',' or '${close}'`)
  }

  #take(character: string): boolean {
    this.#space()
    const found = this.#text[this.#at] === character
    if (found) this.#at++
    return found
  }

  #match(pattern: RegExp): string | undefined {
    this.#space()
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0]
    this.#at += found?.length ?? 0
    return found
  }

  #escaped(quoteAt: number): boolean {
    let slash = quoteAt
    while (this.#text[slash - 1] === "\\") slash--
    return (quoteAt - slash) % 2 === 1
  }

  #space(): void {
    for (; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
    }
  }

  #fail(reason: string): never {
    const found = this.#text.slice(this.#at, this.#at + 20)
    throw new JsonUnexpected(`${reason} at character ${this.#at}, found ${found === "" ? "the end" : excerpt(found)}`)
  }
}

const excerpt = (text: string): string => JSON.stringify(text.slice(0, 100))

const unescaped = (raw: string): string | undefined => {
  try {
    return JSON.parse(`"${raw}"`)
  } catch {
    return undefined
  }
}
