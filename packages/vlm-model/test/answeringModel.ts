/** A small model of pictures and text, as a directory of its own. */
import { mkdirSync, writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { openModelDirectory, tokenizerParts, writeTokenizer } from "../src/index.ts"
import { writeStatistics } from "./writeStatistics.ts"

/** Bytes, and " ok". */
const parts = tokenizerParts([
  ["Ġ", "o"],
  ["Ġo", "k"]
])

/** Tokens of its tokenizer. */
export const vocabulary = parts.vocabulary.size + parts.addedTokens.length

/** Writes a model of this config with that tokenizer, and opens it. */
export const writeAnsweringModel = Effect.fnUntraced(function* (path: string, config: object) {
  mkdirSync(path)
  writeFileSync(`${path}/config.json`, JSON.stringify(config))
  writeStatistics(path)
  yield* writeTokenizer(path, parts)
  return yield* openModelDirectory(path)
})
