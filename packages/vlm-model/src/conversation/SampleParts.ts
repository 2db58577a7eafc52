/** What every kind of record becomes before it is checked and its pixels are decoded. */
import type * as Effect from "effect/Effect"
import type { ImageCodecMissing } from "../Errors.ts"
import type { Tiles } from "../image/tiling.ts"
import type { EncodedConversation } from "./encodeConversation.ts"
import type { Refusal } from "./Refusal.ts"

export interface SampleParts {
  readonly encoded: EncodedConversation
  /** [tiles]: 1 where a tile's tokens are in the sequence. */
  readonly imageFlags: Uint8Array
  /** Decodes as many tiles as there are flags. */
  readonly tiles: Effect.Effect<Tiles, Refusal | ImageCodecMissing>
  /** How many </img> the sequence must have; undefined: any number. */
  readonly images: number | undefined
}
