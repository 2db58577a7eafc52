/**
 * Qwen2's byte-level BPE: text -> NFC -> added tokens split out -> pieces -> UTF-8 bytes -> merges -> ids, and back.
 *
 * Why not `@huggingface/tokenizers` (0.2.0 was tried on the real vocabulary): it splits added tokens out before NFC
 * instead of after ("<img>" + U+0338 must become "<img" + U+226F, no token), it does not see the contraction "'" +
 * U+017F, it takes 850 MB for the Qwen2.5 vocabulary, and 11 s for a megabyte of one character.
 */
import { AddedTokens } from "./AddedTokens.ts"
import { BytePairMerges, type MergeRanks } from "./BytePairMerges.ts"
import { ByteStreamDecoder } from "./ByteStreamDecoder.ts"
import { byteCharacters, bytesToTokenText, tokenTextToBytes } from "./byteAlphabet.ts"
import { IdBuffer } from "./IdBuffer.ts"
import { PieceCache } from "./PieceCache.ts"
import { pieceEnd } from "./preTokenize.ts"
import { endOfText } from "./SpecialTokens.ts"
import {
  type AddedToken,
  type DecodeOptions,
  decodeWith,
  requireId,
  type StreamDecoder,
  type Tokenizer,
  type TokenizerParts
} from "./Tokenizer.ts"

/** What a tokenizer is made of, checked and with every token as an id; `makeTokenizer` makes it. */
interface TokenizerTables {
  /** Token text in the byte alphabet -> id; all 256 bytes are in it. */
  readonly vocabulary: ReadonlyMap<string, number>
  readonly merges: MergeRanks
  /** The same tokens by id; undefined where the vocabulary has none. */
  readonly texts: ReadonlyArray<string | undefined>
  readonly addedTokens: ReadonlyArray<AddedToken>
}

// Longer pieces are rare and not worth the memory.
const longestCachedPiece = 64
const cachedPieces = 2 ** 15
const replacementCharacter = new Uint8Array([0xef, 0xbf, 0xbd])

export class ByteLevelTokenizer implements Tokenizer {
  readonly vocabSize: number
  readonly addedTokens: ReadonlyArray<AddedToken>
  readonly startOfText = undefined
  readonly endOfText = endOfText
  private readonly tables: TokenizerTables
  private readonly merges: BytePairMerges
  private readonly cache = new PieceCache(cachedPieces)
  private readonly added: AddedTokens
  private readonly byteIds: Int32Array
  private bytes = new Uint8Array(256)
  private symbols = new Int32Array(256)

  constructor(tables: TokenizerTables) {
    this.tables = tables
    this.added = new AddedTokens(tables.addedTokens)
    this.vocabSize = this.added.idsWith(tables.texts.length)
    this.addedTokens = tables.addedTokens
    this.merges = new BytePairMerges(tables.merges)
    this.byteIds = Int32Array.from(byteCharacters, (character) => tables.vocabulary.get(character)!)
  }

  normalize(text: string): string {
    return text.normalize("NFC")
  }

  fitting(rows: number): Tokenizer {
    return new ByteLevelTokenizer({ ...this.tables, addedTokens: this.added.below(rows) })
  }

  encode(text: string, asText?: ReadonlySet<string>): Int32Array {
    const ids = new IdBuffer()
    this.added.split(this.normalize(text), asText, {
      words: (between) => this.encodePlain(between, ids),
      token: (id) => ids.push(id)
    })
    return ids.finish()
  }

  /** Their bytes joined and read as UTF-8; bytes that are none become U+FFFD. */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    return decodeWith(this.stream(options), ids)
  }

  stream(options: DecodeOptions = {}): StreamDecoder {
    return new ByteStreamDecoder(this, options)
  }

  tokenId(text: string): number | undefined {
    return this.added.idOf(text) ?? this.tables.vocabulary.get(bytesToTokenText(utf8.encode(text)))
  }

  isSpecial(id: number): boolean {
    return this.added.of(id)?.special ?? false
  }

  parts(): TokenizerParts {
    const { vocabulary, texts, merges } = this.tables
    const pairs = Array.from(merges.left, (left, rank) => [texts[left]!, texts[merges.right[rank]!]!] as const)
    return { vocabulary, merges: pairs, addedTokens: this.addedTokens }
  }

  /** Bytes that an id stands for. Throws RangeError for what cannot be an id. */
  tokenBytes(id: number): Uint8Array {
    requireId(id)
    const added = this.added.of(id)
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
