/** Writes a tokenizer directory in the format that InternLM2 tokenizers are published in. */
import { join } from "node:path"
import { AtomicFile, attemptOn, type FileFailed, makeDirectories } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type { AddedToken } from "../Tokenizer.ts"
import { json } from "../writeTokenizer.ts"
import { type Piece, pieceTypes, sentencePieceFile } from "./modelFile.ts"
import { spaceMark } from "./SentencePieceTokenizer.ts"

const [unknownText, startText, endText] = ["<unk>", "<s>", "</s>"]

/** The pieces of a model that knows bytes alone: `<unk>`, `<s>`, `</s>`, the 256 bytes at ids 3 to 258, and the mark of a space. */
export const bytePieces: ReadonlyArray<Piece> = [
  { text: unknownText, score: 0, type: pieceTypes.unknown },
  { text: startText, score: 0, type: pieceTypes.control },
  { text: endText, score: 0, type: pieceTypes.control },
  ...Array.from({ length: 256 }, (_, byte) => ({
    text: `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
    score: 0,
    type: pieceTypes.byte
  })),
  { text: spaceMark, score: 0, type: pieceTypes.normal }
]

/** Writes tokenizer.model, added_tokens.json, tokenizer_config.json and special_tokens_map.json, and gives what was written. */
export const writeSentencePiece = Effect.fnUntraced(function* (
  directory: string,
  addedTokens: ReadonlyArray<AddedToken>,
  pieces: ReadonlyArray<Piece> = bytePieces
): Effect.fn.Return<ReadonlyArray<AtomicFile.Written>, FileFailed> {
  const ends = { bos_token: startText, eos_token: endText, pad_token: endText, unk_token: unknownText }
  const special = {
    ...ends,
    additional_special_tokens: addedTokens.filter(({ special }) => special).map(({ text }) => text)
  }
  const files = {
    "tokenizer.model": sentencePieceFile(pieces),
    "added_tokens.json": json(Object.fromEntries(addedTokens.map(({ text, id }) => [text, id]))),
    "tokenizer_config.json": json({ add_bos_token: true, ...special, tokenizer_class: "InternLM2Tokenizer" }),
    "special_tokens_map.json": json(special)
  }
  yield* attemptOn(directory)("create", () => makeDirectories(directory))
  return yield* Effect.forEach(Object.entries(files), ([name, content]) => {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
    return AtomicFile.writeWhole(join(directory, name), bytes)
  })
})
