/** Turns token ids into text one by one, holding back the bytes of a character that is not complete yet. */

/** What the decoder asks a tokenizer. */
interface TokenTexts {
  readonly tokenBytes: (id: number) => Uint8Array
  readonly isSpecial: (id: number) => boolean
}

export class StreamDecoder {
  private readonly tokens: TokenTexts
  private readonly skipSpecial: boolean
  // A byte order mark is text like any other.
  private readonly utf8 = new TextDecoder("utf-8", { ignoreBOM: true })

  constructor(tokens: TokenTexts, options: { readonly skipSpecial?: boolean } = {}) {
    this.tokens = tokens
    this.skipSpecial = options.skipSpecial ?? false
  }

  /** The characters that this id completes, possibly none. Throws RangeError for what cannot be an id. */
  push(id: number): string {
    if (this.skipSpecial && this.tokens.isSpecial(id)) return ""
    return this.utf8.decode(this.tokens.tokenBytes(id), { stream: true })
  }

  /** What is left: U+FFFD when the last character was never completed. The decoder can be used again. */
  flush(): string {
    return this.utf8.decode()
  }
}
