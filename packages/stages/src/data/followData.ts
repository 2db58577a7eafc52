/** The data that a stage began with, found in the files as they are now. */
import type { RecipeSettings } from "@speedq/pipeline"
import { type Dataset, PythonRandom, selectLines } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { DataUnusable } from "../Errors.ts"
import type { DataConfig } from "../training/TrainingConfig.ts"
import type { DataLedger } from "./DataLedger.ts"
import { followLines, gone } from "./followLines.ts"
import { lookingAt, readMixture, surveyedPictures } from "./mixture.ts"
import { ascending, digestBytes, lineDigest, type SurveyedLines, surveyLines, visitLines } from "./recordSurvey.ts"

/** A data set whose lines may have moved. */
export interface FollowedPart {
  readonly dataset: Dataset
  readonly starts: Float64Array
  /** Lines that were selected, as they were numbered, in training order. */
  readonly selected: Uint32Array
  /** The same without repetitions, ascending, and the place of each now, or `gone`. */
  readonly lines: Uint32Array
  readonly places: Int32Array
  /** The lines as they are now, those that are gone left out; undefined where the file is another, which was not read so far. */
  readonly records: SurveyedLines | undefined
}

const equalAt = (a: Uint8Array, i: number, b: Uint8Array, j: number): boolean => {
  for (let byte = 0; byte < digestBytes; byte++) {
    if (a[i * digestBytes + byte] !== b[j * digestBytes + byte]) return false
  }
  return true
}

const allDigests = async (file: string, starts: Float64Array): Promise<Uint8Array> => {
  const lines = Uint32Array.from({ length: starts.length - 1 }, (_, line) => line)
  const digests = new Uint8Array(lines.length * digestBytes)
  await visitLines(file, starts, lines, (line, place) => digests.set(lineDigest(line), place * digestBytes))
  return digests
}

/** The parts of a mixture as a stage began with them; none where more changed than that records were dropped or repaired. */
export const followData = Effect.fn("followData")(function* (
  ledger: DataLedger,
  data: DataConfig,
  recipe: RecipeSettings
) {
  const mixture = yield* readMixture({ data, seed: recipe.seed })
  if (mixture.meta !== ledger.meta || mixture.parts.length !== ledger.parts.length) return Option.none()
  const random = new PythonRandom(recipe.seed)
  const parts: FollowedPart[] = []
  for (const [at, { dataset, annotation, starts, records }] of mixture.parts.entries()) {
    const before = ledger.parts[at]!
    const selected = selectLines(before.lines, dataset.repeatTime, data.percent, random)
    const lines = ascending(selected)
    const part = { dataset, starts, selected, lines }
    if (annotation === before.annotation) {
      parts.push({ ...part, places: Int32Array.from(lines), records })
      continue
    }
    const now = yield* lookingAt(dataset, (content) => allDigests(content, starts))
    const after = starts.length - 1
    const isAt = (n: number, place: number) => equalAt(before.records, n, now, place)
    const places = followLines({ before: before.lines, after, lines, isAt })
    if (places === undefined) return Option.none()
    parts.push({ ...part, places, records: undefined })
  }
  return Option.some<readonly FollowedPart[]>(parts)
})

type LedgerPart = DataLedger["parts"][number]

/** The lines of a part as they are now, those that are gone left out. */
const presentLines = ({
  dataset,
  starts,
  places,
  records
}: FollowedPart): Effect.Effect<SurveyedLines, DataUnusable> => {
  if (records !== undefined) return Effect.succeed(records)
  const there = Uint32Array.from(places.filter((place) => place !== gone))
  return lookingAt(dataset, (content) => surveyLines(content, starts, there))
}

/** A part of the ledger as its lines and pictures are now; a line that is gone stays as it was. */
const presentPart = Effect.fnUntraced(function* (before: LedgerPart, by: DataLedger["pictures"], part: FollowedPart) {
  const now = yield* presentLines(part)
  const pictures = yield* surveyedPictures(part.dataset.root, now, by)
  const [records, shown] = [before.records.slice(), before.shown.slice()]
  let next = 0
  for (const [n, place] of part.places.entries()) {
    if (place === gone) continue
    const at = next++ * digestBytes
    records.set(now.digests.subarray(at, at + digestBytes), n * digestBytes)
    shown.set(pictures.digests.subarray(at, at + digestBytes), n * digestBytes)
  }
  return { ...before, records, shown } satisfies LedgerPart
})

/** The ledger with the lines and pictures of `parts` as they are now. Fails with DataUnusable. */
export const presentLedger = Effect.fn("presentLedger")(function* (ledger: DataLedger, parts: readonly FollowedPart[]) {
  const now = yield* Effect.forEach(parts, (part, at) => presentPart(ledger.parts[at]!, ledger.pictures, part))
  return { ...ledger, parts: now } satisfies DataLedger
})

/**
 * The samples of the mixture, as the stage began with it, whose record or pictures are not what they were. Fails with DataUnusable.
 */
export const changedSamples = Effect.fn("changedSamples")(function* (
  ledger: DataLedger,
  parts: readonly FollowedPart[]
) {
  const present = yield* presentLedger(ledger, parts)
  const changed: number[] = []
  let first = 0
  for (const [at, part] of parts.entries()) {
    const [before, now] = [ledger.parts[at]!, present.parts[at]!]
    const isChanged = Array.from(
      part.places,
      (place, n) =>
        place === gone || !equalAt(before.records, n, now.records, n) || !equalAt(before.shown, n, now.shown, n)
    )
    const numberOf = new Map([...part.lines].map((line, n) => [line, n]))
    for (const [place, line] of part.selected.entries()) {
      if (isChanged[numberOf.get(line)!]) changed.push(first + place)
    }
    first += part.selected.length
  }
  return changed
})

/** A mixture for the loaders: selected lines as they are numbered now, and the samples whose lines are gone, with their old numbers. */
export const followedIndex = (parts: readonly FollowedPart[]) => {
  const dropped = new Map<number, number>()
  let first = 0
  const index = parts.map(({ dataset, starts, selected, lines, places }) => {
    const placeOf = new Map([...lines].map((line, n) => [line, places[n]!]))
    const now = new Uint32Array(new SharedArrayBuffer(4 * selected.length))
    for (const [at, line] of selected.entries()) {
      const place = placeOf.get(line)!
      if (place === gone) dropped.set(first + at, line)
      else now[at] = place
    }
    first += selected.length
    const shared = new Float64Array(new SharedArrayBuffer(starts.byteLength))
    shared.set(starts)
    return { dataset, starts: shared, selected: now }
  })
  return { index, dropped }
}
