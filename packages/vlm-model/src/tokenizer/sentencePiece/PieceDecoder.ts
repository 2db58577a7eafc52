/** Turns the ids of a SentencePiece model into text one by one. */
import type { AddedTokens } from "../AddedTokens.ts"
import { type DecodeOptions, requireId, type StreamDecoder } from "../Tokenizer.ts"
import { ByteRun } from "./byteRun.ts"

/** What a piece stands for. */
export type PieceContent = { readonly text: string } | { readonly byte: number }

export interface PieceTexts {
  /** By id; undefined for an id without a token. A control piece is the empty text. */
  readonly contents: ReadonlyArray<PieceContent | undefined>
  readonly added: AddedTokens
  /** Whether encoding puts a space before a text, which decoding takes away. */
  readonly spaceBefore: boolean
  /** Whether encoding takes the spaces off the ends of a text. */
  readonly joinSpaces: boolean
}

export class PieceDecoder implements StreamDecoder {
  private readonly pieces: PieceTexts
  private readonly skipSpecial: boolean
  private readonly run = new ByteRun()
  // Whether what comes next is the beginning of a text, the space before which is not part of it.
  private begins = true

  constructor(pieces: PieceTexts, options: DecodeOptions = {}) {
    this.pieces = pieces
    this.skipSpecial = options.skipSpecial ?? false
  }

  push(id: number): string {
    requireId(id)
    const added = this.pieces.added.of(id)
    if (added?.special && this.skipSpecial) return ""
    if (added !== undefined) {
      const text = this.run.end() + added.text
      // The text between two added tokens is encoded by itself.
      this.begins = true
      return text
    }
    const content = this.pieces.contents[id] ?? { text: "\ufffd" }
    if ("byte" in content) {
      this.begins = false
      return this.run.push(content.byte)
    }
    return this.run.end() + this.withoutFirstSpace(content.text)
  }

  flush(): string {
    this.begins = true
    return this.run.end()
  }

  private withoutFirstSpace(text: string): string {
    const { spaceBefore, joinSpaces } = this.pieces
    if (!this.begins || !(spaceBefore || joinSpaces)) return text
    const rest = text.startsWith(" ") ? text.slice(1) : text
    // Where spaces are joined, pieces that are a space each stand for none at the beginning.
    this.begins = joinSpaces ? rest === "" : text === ""
    return rest
  }
}
