/** What every kind of record becomes before it is checked. */
import type { Tiles } from "../image/tiling.ts"
import type { EncodedConversation } from "./encodeConversation.ts"

export interface SampleParts {
  readonly encoded: EncodedConversation
  readonly tiles: Tiles
  /** [tiles.count]: 1 where a tile's tokens are in the sequence. */
  readonly imageFlags: Uint8Array
  /** How many </img> the sequence must have; undefined: any number. */
  readonly images: number | undefined
}
