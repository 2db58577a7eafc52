/**
 * Qwen2's byte-level BPE: text -> NFC -> added tokens split out -> pieces -> UTF-8 bytes -> merges -> ids, and back.
 *
 * Why not `@huggingface/tokenizers` (0.2.0 was tried on the real vocabulary): it splits added tokens out before NFC
 * instead of after ("<img>" + U+0338 must become "<img" + U+226F, no token), it does not see the contraction "'" +
 * U+017F, it takes 850 MB for the Qwen2.5 vocabulary, and 11 s for a megabyte of one character.
 */
import { BytePairMerges, type MergeRanks } from "./BytePairMerges.ts"
import { byteCharacters, bytesToTokenText, tokenTextToBytes } from "./byteAlphabet.ts"
import { PieceCache } from "./PieceCache.ts"
import { pieceEnd } from "./preTokenize.ts"
import { StreamDecoder } from "./StreamDecoder.ts"

/** A token matched as a whole anywhere in a text; `special` only matters to decoding. */
export interface AddedToken {
  readonly id: number
  readonly text: string
  readonly special: boolean
}

/** What a tokenizer is made of, checked and with every token as an id; `makeTokenizer` makes it. */
interface TokenizerTables {
  /** Token text in the byte alphabet -> id; all 256 bytes are in it. */
  readonly vocabulary: ReadonlyMap<string, number>
  readonly merges: MergeRanks
  /** The same tokens by id; undefined where the vocabulary has none. */
  readonly texts: ReadonlyArray<string | undefined>
  readonly addedTokens: ReadonlyArray<AddedToken>
}

export interface DecodeOptions {
  /** Leaves special tokens out. Default false. */
  readonly skipSpecial?: boolean
}

// Longer pieces are rare and not worth the memory.
const longestCachedPiece = 64
const cachedPieces = 2 ** 15
const replacementCharacter = new Uint8Array([0xef, 0xbf, 0xbd])

export class Tokenizer {
  /** Number of ids: the largest one plus 1. An embedding needs at least as many rows. */
  readonly vocabSize: number
  readonly addedTokens: ReadonlyArray<AddedToken>
  private readonly tables: TokenizerTables
  private readonly merges: BytePairMerges
  private readonly cache = new PieceCache(cachedPieces)
  private readonly addedByText: ReadonlyMap<string, AddedToken>
  private readonly addedById: ReadonlyMap<number, AddedToken>
  private readonly addedPattern: RegExp | undefined
  private readonly byteIds: Int32Array
  private bytes = new Uint8Array(256)
  private symbols = new Int32Array(256)

  constructor(tables: TokenizerTables) {
    this.tables = tables
    this.vocabSize = tables.addedTokens.reduce((size, { id }) => Math.max(size, id + 1), tables.texts.length)
    this.addedTokens = tables.addedTokens
    this.merges = new BytePairMerges(tables.merges)
    this.addedByText = new Map(tables.addedTokens.map((token) => [token.text, token]))
    this.addedById = new Map(tables.addedTokens.map((token) => [token.id, token]))
    this.addedPattern = longestFirst(tables.addedTokens.map(({ text }) => text))
    this.byteIds = Int32Array.from(byteCharacters, (character) => tables.vocabulary.get(character)!)
  }

  /** The same without the added tokens whose id is not below `rows`: their text is encoded like any other. */
  fitting(rows: number): Tokenizer {
    return new Tokenizer({ ...this.tables, addedTokens: this.addedTokens.filter(({ id }) => id < rows) })
  }

  /**
   * Token ids of a text. No token is added at its ends. Halves of surrogate pairs become U+FFFD. Added tokens in `asText` are
   * not matched: what spells one of them out is encoded as any other text.
   */
  encode(text: string, asText?: ReadonlySet<string>): Int32Array {
    const ids = new IdBuffer()
    const normalized = text.normalize("NFC")
    if (this.addedPattern === undefined) this.encodePlain(normalized, ids)
    else {
      let start = 0
      for (const match of normalized.matchAll(this.addedPattern)) {
        if (asText?.has(match[0])) continue
        this.encodePlain(normalized.slice(start, match.index), ids)
        ids.push(this.addedByText.get(match[0])!.id)
        start = match.index + match[0].length
      }
      this.encodePlain(normalized.slice(start), ids)
    }
    return ids.finish()
  }

  /**
   * Text of token ids: their bytes joined and read as UTF-8; bytes that are none become U+FFFD, and so does an id
   * without a token (a spare row of the embedding). Throws RangeError for what cannot be an id.
   */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const decoder = new StreamDecoder(this, options)
    let text = ""
    for (const id of ids) text += decoder.push(id)
    return text + decoder.flush()
  }

  /** Decodes ids as they come, never splitting a character. */
  stream(options: DecodeOptions = {}): StreamDecoder {
    return new StreamDecoder(this, options)
  }

  /** Id of the token that is exactly this text, added or of the vocabulary; undefined when there is none. */
  tokenId(text: string): number | undefined {
    return this.addedByText.get(text)?.id ?? this.tables.vocabulary.get(bytesToTokenText(utf8.encode(text)))
  }

  isSpecial(id: number): boolean {
    return this.addedById.get(id)?.special ?? false
  }

  /** Bytes that an id stands for. Throws RangeError for what cannot be an id. */
  tokenBytes(id: number): Uint8Array {
    if (!Number.isInteger(id) || id < 0) throw new RangeError(`${id} is not a token id; ids are integers of at least 0`)
    const added = this.addedById.get(id)
    if (added !== undefined) return utf8.encode(added.text)
    const text = this.tables.texts[id]
    return (text === undefined ? undefined : tokenTextToBytes(text)) ?? replacementCharacter
  }

  private encodePlain(text: string, ids: IdBuffer): void {
    for (let start = 0; start < text.length; ) {
      const end = pieceEnd(text, start)
      ids.append(this.encodePiece(text.slice(start, end)))
      start = end
    }
  }

  /** The ids of a piece, valid until the next call. */
  private encodePiece(piece: string): Int32Array {
    const cached = this.cache.get(piece)
    if (cached !== undefined) return cached
    // A UTF-16 unit takes at most three bytes of UTF-8.
    if (this.bytes.length < piece.length * 3) {
      this.bytes = new Uint8Array(piece.length * 3)
      this.symbols = new Int32Array(piece.length * 3)
    }
    const { bytes, symbols, byteIds } = this
    const { written } = utf8.encodeInto(piece, bytes)
    for (let i = 0; i < written; i++) symbols[i] = byteIds[bytes[i]!]!
    const merged = symbols.subarray(0, this.merges.merge(symbols, written))
    if (piece.length <= longestCachedPiece) this.cache.set(piece, merged.slice())
    return merged
  }
}

const utf8 = new TextEncoder()

/** Matches the longest of the texts that starts at the leftmost place; undefined for none. */
const longestFirst = (texts: ReadonlyArray<string>): RegExp | undefined => {
  if (texts.length === 0) return undefined
  const escaped = [...texts]
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"))
  return new RegExp(escaped.join("|"), "g")
}

/** A growing Int32Array. */
class IdBuffer {
  private ids = new Int32Array(64)
  private length = 0

  push(id: number): void {
    this.reserve(1)
    this.ids[this.length++] = id
  }

  append(more: Int32Array): void {
    this.reserve(more.length)
    this.ids.set(more, this.length)
    this.length += more.length
  }

  finish(): Int32Array {
    return this.ids.slice(0, this.length)
  }

  private reserve(count: number): void {
    if (this.length + count <= this.ids.length) return
    const grown = new Int32Array(Math.max(2 * this.ids.length, this.length + count))
    grown.set(this.ids)
    this.ids = grown
  }
}
