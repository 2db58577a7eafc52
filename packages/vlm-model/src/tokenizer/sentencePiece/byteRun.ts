/**
 * Bytes of UTF-8 that come one by one. A byte that begins no character becomes U+FFFD by itself, as in SentencePiece; the decoder of the
 * platform makes one of several.
 */

/** Bytes of the character that a byte begins; 0 for a byte that begins none. */
const lengthFrom = (first: number): number =>
  first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const characterOf = (bytes: readonly number[]): string | undefined => {
  try {
    return strict.decode(Uint8Array.from(bytes))
  } catch {
    return undefined
  }
}

export class ByteRun {
  private pending: number[] = []

  /** What the byte completes, possibly nothing. */
  push(byte: number): string {
    this.pending.push(byte)
    return this.take(false)
  }

  /** The run is over: what is left becomes U+FFFD. */
  end(): string {
    return this.take(true)
  }

  private take(over: boolean): string {
    let text = ""
    while (this.pending.length > 0) {
      const length = lengthFrom(this.pending[0]!)
      if (this.pending.length < length && !over) break
      const character =
        length === 0 || this.pending.length < length ? undefined : characterOf(this.pending.slice(0, length))
      text += character ?? "\ufffd"
      this.pending.splice(0, character === undefined ? 1 : length)
    }
    return text
  }
}
