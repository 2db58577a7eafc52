/** A value in a file of its own, as processes hand it to each other. */
import { type Codec, openSaved } from "@speedq/pipeline"
import * as Effect from "effect/Effect"

/** A file's value. Its bytes must have been looked at. Fails with SavedFileDamaged, StorageFailed and what the codec fails with. */
export const loadSaved = <A, E, R>(codec: Codec.Codec<A, E, R>, path: string) =>
  Effect.scoped(Effect.flatMap(openSaved(path), codec.load))
