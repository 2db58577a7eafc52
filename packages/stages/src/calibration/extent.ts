/** How much calibration data there is, as far as that is known before any work. */
import * as Option from "effect/Option"
import type { DataExtent } from "../planning/dataExtent.ts"
import type { DataConfig } from "../training/TrainingConfig.ts"

/** Tokens of a record of images and text beside its tiles: most are shorter. */
const longText = 512

/** Tiles of a typical picture, and tokens of a record with one such beside `text` tokens. */
export const recordExtent = ({ maxTiles, maxLength }: DataConfig, perTile: number, text: number) => {
  const tiles = maxTiles + (maxTiles > 1 ? 1 : 0)
  return { tiles, tokens: Math.min(maxLength, tiles * perTile + text) }
}

/** Records that are used, tokens of one, and tiles of one, as far as they are known without the data. */
export const recordsExtent = (data: DataConfig, count: number, perTile: number) => {
  const { tiles, tokens } = recordExtent(data, perTile, longText)
  return { count, length: tokens, tiles }
}

/** So many sequences, as long and with as many tiles as these. */
export interface SequencesExtent {
  readonly count: number
  readonly like: readonly { readonly tokens: number; readonly tiles: number }[]
}

/** Sequences as the records have them, where they can be looked at. */
export const sequencesOf = (
  { count, length, tiles }: { readonly count: number; readonly length: number; readonly tiles: number },
  records: Option.Option<DataExtent>
): SequencesExtent =>
  Option.match(records, {
    onNone: () => ({ count, like: [{ tokens: length, tiles }] }),
    onSome: (found) => ({ count: Math.min(count, found.count), like: found.records })
  })

/** The mean of a number that each has: sequences, records. */
export const meanOf =
  <Each>(all: readonly Each[]) =>
  (numberOf: (one: Each) => number): number =>
    all.reduce((sum, one) => sum + numberOf(one), 0) / all.length
