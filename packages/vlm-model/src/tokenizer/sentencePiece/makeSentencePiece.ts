/** Checks a SentencePiece model and makes a tokenizer of it. */
import * as Effect from "effect/Effect"
import { TokenizerInvalid } from "../../Errors.ts"
import { quote, wrongToken } from "../AddedTokens.ts"
import { type MergeRanks, maxMerges } from "../BytePairMerges.ts"
import type { AddedToken, Tokenizer } from "../Tokenizer.ts"
import { type Piece, pieceTypes, type SentencePieceModel } from "./modelFile.ts"
import type { PieceContent } from "./PieceDecoder.ts"
import { SentencePieceTokenizer, spaceMark } from "./SentencePieceTokenizer.ts"

/** Bounds what a hostile file can make us compute: every way to cut a piece in two is looked up. */
const longestPiece = 512

interface SentencePieceParts {
  readonly model: SentencePieceModel
  /** Their texts replace those of pieces of the same id. */
  readonly addedTokens: ReadonlyArray<AddedToken>
  readonly startOfText: string | undefined
  readonly endOfText: string
}

/** Raised inside; `makeSentencePiece` makes a TokenizerInvalid of it. */
class Unfit extends Error {}

/** What the tokenizer does not do. */
const requireSupported = (model: SentencePieceModel): void => {
  const unsupported: readonly (readonly [boolean, string])[] = [
    [model.modelType !== 2, `its model_type is ${model.modelType}; only BPE, 2, is supported`],
    [!model.byteFallback, "it has no byte_fallback, so not every text could be encoded"],
    [model.replacements > 0, "its normalizer replaces characters (precompiled_charsmap); only identity is supported"],
    [!model.marksSpaces, "it does not escape white space; only models that do are supported"],
    [model.spaceBehind, "it treats white space as a suffix; only models that do not are supported"]
  ]
  for (const [found, reason] of unsupported) if (found) throw new Unfit(reason)
}

const isMerged = ({ type }: Piece): boolean => type === pieceTypes.normal || type === pieceTypes.unused

const byteOf = (text: string): number | undefined => {
  const [, digits] = /^<0x([0-9A-F]{2})>$/.exec(text) ?? []
  return digits === undefined ? undefined : Number.parseInt(digits, 16)
}

const contentOf = ({ text, type }: Piece, { unknownText }: SentencePieceModel): PieceContent => {
  if (type === pieceTypes.byte) return { byte: byteOf(text)! }
  if (type === pieceTypes.control) return { text: "" }
  return { text: type === pieceTypes.unknown ? unknownText : text.replaceAll(spaceMark, " ") }
}

/** Ids of the pieces `<0x00>` to `<0xFF>`. */
const findBytes = (pieces: ReadonlyArray<Piece>): Int32Array => {
  const ids = new Int32Array(256).fill(-1)
  for (const [id, { text, type }] of pieces.entries()) {
    if (type !== pieceTypes.byte) continue
    const byte = byteOf(text)
    if (byte === undefined) throw new Unfit(`piece ${id}, ${quote(text)}, is called a byte, but names none`)
    ids[byte] = id
  }
  const missing = ids.indexOf(-1)
  if (missing >= 0) throw new Unfit(`it has no piece for byte ${missing}, so not every text could be encoded`)
  return ids
}

const idsByText = (pieces: ReadonlyArray<Piece>): ReadonlyMap<string, number> => {
  const ids = new Map<string, number>()
  for (const [id, { text, type }] of pieces.entries()) {
    if (text.length > longestPiece)
      throw new Unfit(`piece ${id} has ${text.length} characters; at most ${longestPiece} are supported`)
    if (type === pieceTypes.byte) continue
    const other = ids.get(text)
    if (other !== undefined) throw new Unfit(`pieces ${other} and ${id} are both ${quote(text)}`)
    ids.set(text, id)
  }
  return ids
}

/** Pieces that merges make, and single characters of them that are no piece. */
const symbolsOf = (pieces: ReadonlyArray<Piece>) => {
  const symbols = new Map<string, number>()
  for (const [id, piece] of pieces.entries()) if (isMerged(piece)) symbols.set(piece.text, id)
  const spare: string[] = []
  for (const piece of pieces) {
    if (!isMerged(piece)) continue
    for (const character of piece.text) {
      if (symbols.has(character)) continue
      symbols.set(character, pieces.length + spare.length)
      spare.push(character)
    }
  }
  return { symbols, spare }
}

/** Every way to make a piece of two symbols. The piece with the highest score is made first; equal scores are one rank. */
const rankMerges = (pieces: ReadonlyArray<Piece>, symbols: ReadonlyMap<string, number>): MergeRanks => {
  const order = [...pieces.keys()]
    .filter((id) => isMerged(pieces[id]!))
    .sort((a, b) => pieces[b]!.score - pieces[a]!.score)
  const found: { left: number[]; right: number[]; product: number[]; rank: number[] } = {
    ...{ left: [], right: [] },
    ...{ product: [], rank: [] }
  }
  let [rank, score] = [-1, Number.NaN]
  for (const id of order) {
    const piece = pieces[id]!
    if (piece.score !== score) rank++
    score = piece.score
    let cut = 0
    for (const character of piece.text) {
      cut += character.length
      const [left, right] = [symbols.get(piece.text.slice(0, cut)), symbols.get(piece.text.slice(cut))]
      if (left === undefined || right === undefined) continue
      if (piece.type === pieceTypes.unused) {
        throw new Unfit(`piece ${id}, ${quote(piece.text)}, is unused but merges make it; that is not supported`)
      }
      found.left.push(left)
      found.right.push(right)
      found.product.push(id)
      found.rank.push(rank)
    }
    if (found.left.length > maxMerges) throw new Unfit(`it has more than ${maxMerges} merges`)
  }
  return {
    left: Int32Array.from(found.left),
    right: Int32Array.from(found.right),
    product: Int32Array.from(found.product),
    rank: Int32Array.from(found.rank)
  }
}

const tokenizerOf = ({ model, addedTokens, startOfText, endOfText }: SentencePieceParts): Tokenizer => {
  requireSupported(model)
  const wrong = wrongToken(addedTokens)
  if (wrong !== undefined) throw new Unfit(wrong)
  const { pieces, spaceBefore, joinSpaces } = model
  const byteIds = findBytes(pieces)
  const ids = idsByText(pieces)
  const { symbols, spare } = symbolsOf(pieces)
  const tokenizer = new SentencePieceTokenizer({
    ...{ ids, symbols, spare, byteIds, spaceBefore, joinSpaces, addedTokens, startOfText, endOfText },
    merges: rankMerges(pieces, symbols),
    whole: pieces.flatMap(({ text, type }) => (type === pieceTypes.userDefined ? [text] : [])),
    contents: pieces.map((piece) => contentOf(piece, model))
  })
  for (const [text, what] of [
    [startOfText, "begins"],
    [endOfText, "ends"]
  ] as const) {
    if (text !== undefined && tokenizer.tokenId(text) === undefined)
      throw new Unfit(`it has no token ${quote(text)}, which ${what} a text`)
  }
  return tokenizer
}

/**
 * Makes a tokenizer. `source` is what errors name. Fails with TokenizerInvalid for a model that is not BPE with byte fallback, that
 * replaces characters, lacks a byte, or has two pieces of one text.
 */
export const makeSentencePiece = (
  parts: SentencePieceParts,
  source: string
): Effect.Effect<Tokenizer, TokenizerInvalid> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(tokenizerOf(parts))
    } catch (error) {
      if (error instanceof Unfit) return Effect.fail(new TokenizerInvalid({ file: source, reason: error.message }))
      throw error
    }
  })
