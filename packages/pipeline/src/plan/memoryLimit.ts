/** How much memory a run may have, and what of it a process takes whatever it computes. */

import * as Effect from "effect/Effect"
import { Machine } from "../machine/Machine.ts"
import type { RecipeSettings } from "../settings/RecipeSettings.ts"

/** Bytes of a process with its threads, its code and a tokenizer, before it holds any tensor or image. */
export const processBytes = 400 * 2 ** 20

/** Bytes that a process which is about to start may have: the recipe's limit, else what the machine has left. */
export const memoryLimit = Effect.fnUntraced(function* ({ memory }: RecipeSettings) {
  const machine = yield* Machine
  return memory === undefined ? yield* machine.memoryBytes : Number(memory.limit)
})

/** The same for this process, which has some of its memory already. */
export const memoryBudget = (recipe: RecipeSettings): Effect.Effect<number> =>
  Effect.map(memoryLimit(recipe), (bytes) => (recipe.memory === undefined ? bytes + process.memoryUsage.rss() : bytes))
