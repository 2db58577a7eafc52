/** The picture files of a record, and how many tiles each may become. */
import * as Effect from "effect/Effect"
import { type ConversationRecord, shownBy } from "./ConversationRecord.ts"
import { carefulData } from "./DataQuirks.ts"
import { recordPath } from "./recordPath.ts"
import type { RecordOrigin } from "./SampleSettings.ts"

/** Most tiles of each of `pictures` that share `maxTiles`. */
export const tilesOfEach = (maxTiles: number, pictures: number): number => Math.max(1, Math.floor(maxTiles / pictures))

export interface Picture {
  readonly file: string
  readonly maxTiles: number
}

/**
 * The pictures of a record as training sees them; none of a video or a text. `maxTiles` holds where the data set has no number
 * of its own. Fails with a reason for remote paths, and for records that do not say one thing.
 */
export const recordPictures = (
  record: ConversationRecord,
  { root, maxTiles: own }: Pick<RecordOrigin, "root" | "maxTiles">,
  maxTiles: number
): Effect.Effect<ReadonlyArray<Picture>, string> => {
  return Effect.flatMap(Effect.fromResult(shownBy(record, carefulData)), (shown) => {
    const paths = shown.kind === "image" ? [shown.path] : shown.kind === "images" ? shown.paths : []
    const each = tilesOfEach(own ?? maxTiles, paths.length)
    return Effect.forEach(paths, (path) => Effect.map(recordPath(root, path), (file) => ({ file, maxTiles: each })))
  })
}
