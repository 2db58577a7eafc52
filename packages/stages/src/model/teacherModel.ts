/** The model that training distils from, and that divergence is measured from: the recipe's own in full precision, or another. */
import type { SourceModel } from "@speedq/exports"
import type { RecipeSettings } from "@speedq/pipeline"
import { type ModelDirectory, tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { ModelUnreadable } from "../Errors.ts"
import { openSourceModel } from "./SourceModel.ts"

/** Everything that makes two models see the same samples: rows of logits, ids of tokens, tiles. */
const seenBy = ({ config, tokenizer, tokens, image }: ModelDirectory): { readonly [what: string]: unknown } => ({
  "rows of the vocabulary": config.llm_config.vocab_size,
  "tokens of the tokenizer": tokenizer.vocabSize,
  "ids of special tokens": tokens,
  "tokens of a tile": tokensPerTile(config),
  "pixels of a tile": image.tileSize,
  "statistics of pixels": image.statistics
})

/** Opens the teacher of a recipe for the life of the scope: `model` where it names none. Fails with ModelUnreadable. */
export const openTeacher = Effect.fn("openTeacher")(function* (
  { teacher: path }: Pick<RecipeSettings, "teacher">,
  model: SourceModel
) {
  if (path === undefined) return model
  const teacher = yield* openSourceModel(path)
  const [ours, its] = [seenBy(model.directory), seenBy(teacher.directory)]
  const different = Object.keys(ours).filter((what) => JSON.stringify(ours[what]) !== JSON.stringify(its[what]))
  if (different.length === 0) return teacher
  const shown = different.map((what) => `${what} (${JSON.stringify(its[what])}, not ${JSON.stringify(ours[what])})`)
  const reason = `it cannot teach ${model.directory.directory}: it differs in ${shown.join(", ")}; name a teacher with the same tokenizer and tiles`
  return yield* new ModelUnreadable({ directory: path, reason })
})
