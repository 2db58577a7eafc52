/** Turns token ids into text one by one, holding back the bytes of a character that is not complete yet. */
import type { DecodeOptions, StreamDecoder } from "./Tokenizer.ts"

/** What the decoder asks a tokenizer. */
interface TokenTexts {
  readonly tokenBytes: (id: number) => Uint8Array
  readonly isSpecial: (id: number) => boolean
}

export class ByteStreamDecoder implements StreamDecoder {
  private readonly tokens: TokenTexts
  private readonly skipSpecial: boolean
  // A byte order mark is text like any other.
  private readonly utf8 = new TextDecoder("utf-8", { ignoreBOM: true })

  constructor(tokens: TokenTexts, options: DecodeOptions = {}) {
    this.tokens = tokens
    this.skipSpecial = options.skipSpecial ?? false
  }

  push(id: number): string {
    if (this.skipSpecial && this.tokens.isSpecial(id)) return ""
    return this.utf8.decode(this.tokens.tokenBytes(id), { stream: true })
  }

  flush(): string {
    return this.utf8.decode()
  }
}
