/**
 * SentencePiece's BPE with byte fallback: added tokens split out -> spaces marked -> characters -> merges by score -> ids; a character
 * without a piece becomes the pieces of its bytes.
 */
import { AddedTokens, longestFirst } from "../AddedTokens.ts"
import { BytePairMerges, type MergeRanks } from "../BytePairMerges.ts"
import { IdBuffer } from "../IdBuffer.ts"
import { type AddedToken, type DecodeOptions, decodeWith, type StreamDecoder, type Tokenizer } from "../Tokenizer.ts"
import { type PieceContent, PieceDecoder, type PieceTexts } from "./PieceDecoder.ts"

/** What SentencePiece writes for a space. */
export const spaceMark = "\u2581"

/** What the tokenizer is made of, checked; `makeSentencePiece` makes it. */
interface SentencePieceTables {
  /** Text of every piece but bytes -> id, control pieces included. */
  readonly ids: ReadonlyMap<string, number>
  /**
   * What merges begin with and come to: text -> id of the piece. A character of a piece that is none itself has a number from
   * `contents.length` on.
   */
  readonly symbols: ReadonlyMap<string, number>
  /** The characters of these numbers, in order. */
  readonly spare: ReadonlyArray<string>
  readonly merges: MergeRanks
  /** Pieces that are found in a text as a whole. */
  readonly whole: ReadonlyArray<string>
  readonly contents: ReadonlyArray<PieceContent | undefined>
  /** Ids of the 256 bytes. */
  readonly byteIds: Int32Array
  readonly spaceBefore: boolean
  readonly joinSpaces: boolean
  readonly addedTokens: ReadonlyArray<AddedToken>
  readonly startOfText: string | undefined
  readonly endOfText: string
}

const utf8 = new TextEncoder()

export class SentencePieceTokenizer implements Tokenizer {
  readonly vocabSize: number
  readonly addedTokens: ReadonlyArray<AddedToken>
  readonly startOfText: string | undefined
  readonly endOfText: string
  private readonly tables: SentencePieceTables
  private readonly added: AddedTokens
  private readonly merges: BytePairMerges
  private readonly whole: RegExp | undefined
  private readonly texts: PieceTexts
  private symbols = new Int32Array(256)

  constructor(tables: SentencePieceTables) {
    this.tables = tables
    this.added = new AddedTokens(tables.addedTokens)
    this.addedTokens = tables.addedTokens
    this.vocabSize = this.added.idsWith(tables.contents.length)
    this.startOfText = tables.startOfText
    this.endOfText = tables.endOfText
    this.merges = new BytePairMerges(tables.merges)
    this.whole = longestFirst(tables.whole)
    this.texts = { ...tables, added: this.added }
  }

  normalize(text: string): string {
    return text
  }

  fitting(rows: number): Tokenizer {
    return new SentencePieceTokenizer({ ...this.tables, addedTokens: this.added.below(rows) })
  }

  encode(text: string, asText?: ReadonlySet<string>): Int32Array {
    const ids = new IdBuffer()
    this.added.split(text.replace(/[\ud800-\udfff]/gu, "\ufffd"), asText, {
      words: (between) => this.encodeText(this.prepared(between), ids),
      token: (id) => ids.push(id)
    })
    return ids.finish()
  }

  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    return decodeWith(this.stream(options), ids)
  }

  stream(options: DecodeOptions = {}): StreamDecoder {
    return new PieceDecoder(this.texts, options)
  }

  tokenId(text: string): number | undefined {
    return this.added.idOf(text) ?? this.tables.ids.get(text.replaceAll(" ", spaceMark))
  }

  isSpecial(id: number): boolean {
    return this.added.of(id)?.special ?? false
  }

  parts(): undefined {
    return undefined
  }

  /** A text between added tokens as the pieces spell it. */
  private prepared(text: string): string {
    const { spaceBefore, joinSpaces } = this.tables
    const spaced = joinSpaces ? text.replace(/ +/g, " ").replace(/^ /, "") : text
    if (spaced === "") return ""
    const marked = (spaceBefore ? ` ${spaced}` : spaced).replaceAll(" ", spaceMark)
    return joinSpaces ? marked.replace(/\u2581+$/, "") : marked
  }

  private encodeText(text: string, ids: IdBuffer): void {
    let start = 0
    for (const match of this.whole === undefined ? [] : text.matchAll(this.whole)) {
      this.encodeCharacters(text.slice(start, match.index), ids)
      ids.push(this.tables.ids.get(match[0])!)
      start = match.index + match[0].length
    }
    this.encodeCharacters(text.slice(start), ids)
  }

  /** Merges run from one character to the next that no piece has. */
  private encodeCharacters(text: string, ids: IdBuffer): void {
    if (this.symbols.length < text.length) this.symbols = new Int32Array(text.length)
    let count = 0
    for (const character of text) {
      const symbol = this.tables.symbols.get(character)
      if (symbol !== undefined) this.symbols[count++] = symbol
      else {
        this.encodeSymbols(count, ids)
        this.encodeBytes(character, ids)
        count = 0
      }
    }
    this.encodeSymbols(count, ids)
  }

  private encodeSymbols(count: number, ids: IdBuffer): void {
    const { contents, spare } = this.tables
    const merged = this.symbols.subarray(0, this.merges.merge(this.symbols, count))
    for (const id of merged) {
      if (id < contents.length) ids.push(id)
      else this.encodeBytes(spare[id - contents.length]!, ids)
    }
  }

  private encodeBytes(character: string, ids: IdBuffer): void {
    for (const byte of utf8.encode(character)) ids.push(this.tables.byteIds[byte]!)
  }
}
