/** How much calibration data there is, as far as that is known before any work. */
import * as Option from "effect/Option"
import type { DataExtent } from "../planning/dataExtent.ts"
import type { DataConfig } from "../training/TrainingConfig.ts"

/** Tokens of a record of images and text beside its tiles: most are shorter. */
const typicalText = 512

/** Records that are used, tokens of one, and tiles of one, as far as they are known without the data. */
export const recordsExtent = ({ maxTiles, maxLength }: DataConfig, count: number, perTile: number) => {
  const tiles = maxTiles + (maxTiles > 1 ? 1 : 0)
  return { count, length: Math.min(maxLength, tiles * perTile + typicalText), tiles }
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
