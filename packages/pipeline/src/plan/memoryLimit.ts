/** How much memory a run may have, and what of it a process takes whatever it computes. */

import * as Effect from "effect/Effect"
import { Machine } from "../machine/Machine.ts"
import { isApart, TensorMemory } from "../machine/TensorMemory.ts"
import type { RecipeSettings } from "../settings/RecipeSettings.ts"

/** Bytes of a process with its threads, its code and a tokenizer, before it holds any tensor or image. */
export const processBytes = 400 * 2 ** 20

/** Bytes that a process which is about to start may have: the recipe's limit, else what the machine has left. */
export const memoryLimit = Effect.fnUntraced(function* ({ memory }: RecipeSettings) {
  const machine = yield* Machine
  return memory?.limit === undefined ? yield* machine.memoryBytes : Number(memory.limit)
})

/** What tensors may take while a process computes. */
export interface MemoryBudget {
  /** Bytes; undefined where a device does not tell its memory. */
  readonly bytes: number | undefined
  /** Whether they are the tensors' alone, on a device; else they are those of the whole process. */
  readonly apart: boolean
}

/** For a process that is about to start. */
export const tensorBudget = Effect.fnUntraced(function* (recipe: RecipeSettings) {
  const device = yield* yield* TensorMemory
  const budget: MemoryBudget = isApart(device)
    ? { bytes: device.bytes === undefined ? undefined : device.bytes / (1 + device.overhead), apart: true }
    : { bytes: yield* memoryLimit(recipe), apart: false }
  return budget
})

/** The same for this process, which has some of its memory already. */
export const memoryBudget = (recipe: RecipeSettings): Effect.Effect<MemoryBudget> =>
  Effect.map(tensorBudget(recipe), ({ bytes, apart }) => ({
    bytes:
      apart || recipe.memory?.limit !== undefined || bytes === undefined ? bytes : bytes + process.memoryUsage.rss(),
    apart
  }))
