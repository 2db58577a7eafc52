/** What every tokenizer does: text to token ids and back, whatever its files are. */

/** A token matched as a whole anywhere in a text; `special` only matters to decoding. */
export interface AddedToken {
  readonly id: number
  readonly text: string
  readonly special: boolean
}

/** The parts of a byte-level BPE tokenizer; texts of vocabulary and merges are in the byte alphabet. */
export interface TokenizerParts {
  readonly vocabulary: ReadonlyMap<string, number>
  /** In order of rank: `[left, right]` becomes `left + right`. */
  readonly merges: ReadonlyArray<readonly [string, string]>
  readonly addedTokens: ReadonlyArray<AddedToken>
}

export interface DecodeOptions {
  /** Leaves special tokens out. Default false. */
  readonly skipSpecial?: boolean
}

/** Decodes ids as they come, never splitting a character. */
export interface StreamDecoder {
  /** The characters that this id completes, possibly none. Throws RangeError for what cannot be an id. */
  readonly push: (id: number) => string
  /** What is left: U+FFFD when the last character was never completed. The decoder can be used again. */
  readonly flush: () => string
}

export interface Tokenizer {
  /** Number of ids: the largest one plus 1. An embedding needs at least as many rows. */
  readonly vocabSize: number
  readonly addedTokens: ReadonlyArray<AddedToken>
  /** Token that every sequence begins with; undefined where there is none. `encode` does not add it. */
  readonly startOfText: string | undefined
  /** Token that ends a text, and that the reference fills sequences up with. */
  readonly endOfText: string
  /** A text as its added tokens are looked for in it. */
  normalize(text: string): string
  /** The same without the added tokens whose id is not below `rows`: their text is encoded like any other. */
  fitting(rows: number): Tokenizer
  /**
   * Token ids of a text. No token is added at its ends. Halves of surrogate pairs become U+FFFD. Added tokens in `asText` are
   * not matched: what spells one of them out is encoded as any other text.
   */
  encode(text: string, asText?: ReadonlySet<string>): Int32Array
  /** Text of token ids; an id without a token (a spare row of the embedding) is U+FFFD. Throws RangeError for what cannot be an id. */
  decode(ids: Iterable<number>, options?: DecodeOptions): string
  stream(options?: DecodeOptions): StreamDecoder
  /** Id of the token that is exactly this text, added or of the vocabulary; undefined when there is none. */
  tokenId(text: string): number | undefined
  isSpecial(id: number): boolean
  /** What it is made of, for formats that hold a tokenizer; undefined for one that is no byte-level BPE. */
  parts(): TokenizerParts | undefined
}

/** Ids that every sequence begins with: one, or none. */
export const startIds = (tokenizer: Tokenizer): Int32Array => {
  const { startOfText } = tokenizer
  return Int32Array.from(startOfText === undefined ? [] : [tokenizer.tokenId(startOfText)!])
}

/** All ids through a new stream. */
export const decodeWith = (decoder: StreamDecoder, ids: Iterable<number>): string => {
  let text = ""
  for (const id of ids) text += decoder.push(id)
  return text + decoder.flush()
}

/** Throws RangeError for what cannot be an id. */
export const requireId = (id: number): void => {
  if (!Number.isInteger(id) || id < 0) throw new RangeError(`${id} is not a token id; ids are integers of at least 0`)
}
