/** Reads what a stage saved: what is raised on the way means that the file is damaged, unless it wants a quantizer that is not given. */
import { SavedFileDamaged } from "@speedq/pipeline"
import { isForeign, type QuantizerMissing, type QuantizerVersionDiffers } from "@speedq/quantizers"
import * as Effect from "effect/Effect"
import { reasonOf } from "../Errors.ts"

/** Runs code that throws on a damaged file. */
export const readingSaved = <A>(
  file: string,
  read: () => A
): Effect.Effect<A, SavedFileDamaged | QuantizerMissing | QuantizerVersionDiffers> =>
  Effect.try({
    try: read,
    catch: (error) => (isForeign(error) ? error : new SavedFileDamaged({ file, detail: reasonOf(error) }))
  })
