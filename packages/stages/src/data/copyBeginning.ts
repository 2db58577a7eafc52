/** Takes what a stage's data was when the stage began to another directory, where the same stage begins from the same data. */
import { copyFileSync, existsSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { fingerprintAt, type Recipe, readManifest } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { ledgerName, readLedger } from "./DataLedger.ts"
import { modelDigest } from "./fingerprint.ts"
import { lengthsName } from "./openStageData.ts"

/** Names of the files that say what it was, in a stage's directory. */
export const beginningNames = [ledgerName, lengthsName] as const

export const copyBeginning = (from: string, to: string): void => {
  mkdirSync(to, { recursive: true })
  for (const name of beginningNames) {
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name))
  }
}

/**
 * What another process finds otherwise than the stage in `from`, after it has begun the stage in `to`; undefined where model and data are
 * the same. A stage that keeps no ledger of its data is compared by its fingerprint. Fails with SavedFileDamaged, StorageFailed.
 */
export const differsFromBeginning = Effect.fn("differsFromBeginning")(function* <E, R>(
  from: string,
  to: string,
  { recipe, place }: { readonly recipe: Recipe.AnyRecipe<E, R>; readonly place: string }
) {
  const theirs = Option.getOrUndefined(yield* readLedger(from))
  if (theirs === undefined) {
    const manifest = Option.getOrUndefined(yield* readManifest(from))?.manifest
    const own = yield* fingerprintAt(recipe, place) ?? Effect.succeed(undefined)
    return manifest === undefined || manifest.parts.data === own ? undefined : ("data" as const)
  }
  if (theirs.model !== (yield* modelDigest(recipe.settings))) return "model" as const
  return isDeepStrictEqual(theirs, Option.getOrUndefined(yield* readLedger(to))) ? undefined : ("data" as const)
})
