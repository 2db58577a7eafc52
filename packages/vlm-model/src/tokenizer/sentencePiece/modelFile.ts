/**
 * tokenizer.model, the file of SentencePiece: a protocol buffer of pieces with scores, and of how text is prepared for them. Field
 * numbers are those of SentencePiece's published sentencepiece_model.proto.
 */
import { field, fieldsOf, floatField, MessageMalformed } from "./protobuf.ts"

/** What a piece is, by the numbers of the format. */
export const pieceTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const

export interface Piece {
  readonly text: string
  readonly score: number
  readonly type: number
}

export interface SentencePieceModel {
  /** Their places are their ids. */
  readonly pieces: ReadonlyArray<Piece>
  /** 2 is BPE. */
  readonly modelType: number
  readonly byteFallback: boolean
  /** Ids of the tokens for what is unknown, begins and ends a text; -1 for none. */
  readonly unknownId: number
  readonly startId: number
  readonly endId: number
  /** What decoding makes of the unknown token. */
  readonly unknownText: string
  /** Puts the space of a word behind it. */
  readonly spaceBehind: boolean
  /** Bytes of a table that replaces characters; 0 for none. */
  readonly replacements: number
  /** Puts a space before a text. */
  readonly spaceBefore: boolean
  /** Takes spaces off both ends, and makes one of several. */
  readonly joinSpaces: boolean
  /** Whether spaces become U+2581. */
  readonly marksSpaces: boolean
}

const model = { pieces: 1, trainer: 2, normalizer: 3 } as const
const piece = { text: 1, score: 2, type: 3 } as const
const trainer = {
  modelType: 3,
  spaceBehind: 24,
  byteFallback: 35,
  unknownId: 40,
  startId: 41,
  endId: 42,
  unknownText: 44
} as const
const normalizer = { replacements: 2, spaceBefore: 3, joinSpaces: 4, marksSpaces: 5 } as const

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const bytesIn = (value: number | Uint8Array, what: string): Uint8Array => {
  if (typeof value === "number") throw new MessageMalformed(`${what} is a number`)
  return value
}

const numberIn = (value: number | Uint8Array, what: string): number => {
  if (typeof value !== "number") throw new MessageMalformed(`${what} is no whole number`)
  return value
}

const textIn = (value: number | Uint8Array, what: string): string => {
  try {
    return utf8.decode(bytesIn(value, what))
  } catch (error) {
    if (error instanceof MessageMalformed) throw error
    throw new MessageMalformed(`${what} is not UTF-8`)
  }
}

const floatIn = (value: number | Uint8Array, what: string): number => {
  const bytes = bytesIn(value, what)
  if (bytes.length !== 4) throw new MessageMalformed(`${what} has ${bytes.length} bytes, not the 4 of a float`)
  const float = new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true)
  if (Number.isNaN(float)) throw new MessageMalformed(`${what} is not a number`)
  return float
}

/** The last field of a number counts, as in protocol buffers. */
const lastOf = (message: Uint8Array): ReadonlyMap<number, number | Uint8Array> =>
  new Map(Array.from(fieldsOf(message), ({ number, value }) => [number, value] as const))

const readPiece = (message: Uint8Array, id: number): Piece => {
  let [text, score, type]: [string, number, number] = ["", 0, pieceTypes.normal]
  for (const { number, value } of fieldsOf(message)) {
    if (number === piece.text) text = textIn(value, `the text of piece ${id}`)
    else if (number === piece.score) score = floatIn(value, `the score of piece ${id}`)
    else if (number === piece.type) type = numberIn(value, `the type of piece ${id}`)
  }
  if (text === "") throw new MessageMalformed(`piece ${id} has no text`)
  return { text, score, type }
}

/** Reads the bytes of tokenizer.model. Raises MessageMalformed. */
export const readSentencePiece = (bytes: Uint8Array): SentencePieceModel => {
  const pieces: Piece[] = []
  let [training, preparing] = [lastOf(new Uint8Array()), lastOf(new Uint8Array())]
  for (const { number, value } of fieldsOf(bytes)) {
    if (number === model.pieces) pieces.push(readPiece(bytesIn(value, `piece ${pieces.length}`), pieces.length))
    else if (number === model.trainer) training = lastOf(bytesIn(value, "trainer_spec"))
    else if (number === model.normalizer) preparing = lastOf(bytesIn(value, "normalizer_spec"))
  }
  const numberOr = (from: typeof training, at: number, absent: number) =>
    from.has(at) ? numberIn(from.get(at)!, `field ${at}`) : absent
  const isSet = (from: typeof training, at: number, absent: boolean) => numberOr(from, at, absent ? 1 : 0) !== 0
  const unknownText = training.get(trainer.unknownText)
  return {
    pieces,
    modelType: numberOr(training, trainer.modelType, 1),
    byteFallback: isSet(training, trainer.byteFallback, false),
    unknownId: numberOr(training, trainer.unknownId, 0),
    startId: numberOr(training, trainer.startId, 1),
    endId: numberOr(training, trainer.endId, 2),
    unknownText: unknownText === undefined ? " \u2047 " : textIn(unknownText, "unk_surface"),
    spaceBehind: isSet(training, trainer.spaceBehind, false),
    replacements: bytesIn(preparing.get(normalizer.replacements) ?? new Uint8Array(), "precompiled_charsmap").length,
    spaceBefore: isSet(preparing, normalizer.spaceBefore, true),
    joinSpaces: isSet(preparing, normalizer.joinSpaces, true),
    marksSpaces: isSet(preparing, normalizer.marksSpaces, true)
  }
}

const encoder = new TextEncoder()
const joined = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts)

/** The bytes of a tokenizer.model with byte fallback that prepares text in no way but for marking its spaces. */
export const sentencePieceFile = (pieces: ReadonlyArray<Piece>): Uint8Array =>
  joined(
    ...pieces.map(({ text, score, type }) =>
      field(
        model.pieces,
        joined(field(piece.text, encoder.encode(text)), floatField(piece.score, score), field(piece.type, type))
      )
    ),
    field(model.trainer, joined(field(trainer.modelType, 2), field(trainer.byteFallback, 1))),
    field(model.normalizer, joined(field(normalizer.spaceBefore, 0), field(normalizer.joinSpaces, 0)))
  )
