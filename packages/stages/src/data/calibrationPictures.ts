/**
 * Pictures to calibrate on, drawn with the recipe's seed from all that a stage names: directories, lists of files, training
 * mixtures.
 */
import { readdirSync, statSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { readTextSync } from "@speedq/formats"
import { Random } from "@speedq/tensors"
import { openTrainingData, type Picture, recordPictures } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { DataUnusable, dataUnusable } from "../Errors.ts"

const pictureName = /\.(png|jpe?g|webp|gif|bmp|tiff?)$/i
const metaName = /\.json$/i

export interface PictureSources {
  /** Directories, text files that list pictures, meta files of training mixtures. */
  readonly images: string | readonly string[]
  /** Most pictures that are drawn. */
  readonly count: number
  /** Most tiles of a picture; those of one record share it, and a data set may have its own number. */
  readonly maxTiles: number
}

export const sourcesOf = ({ images }: Pick<PictureSources, "images">): readonly string[] =>
  typeof images === "string" ? [images] : images

/** Those of the sources that are training mixtures. */
export const mixturesOf = (sources: Pick<PictureSources, "images">): readonly string[] =>
  sourcesOf(sources).filter((source) => metaName.test(source))

/** A source as a list of entries, each of which has some pictures: a file has one, a record of a mixture any number. */
interface Entries {
  readonly count: number
  /** The file, or file and line. */
  readonly name: (entry: number) => string
  readonly pictures: (entry: number) => Effect.Effect<readonly Picture[], DataUnusable>
}

/** Files of a directory in order of their names, or those of a list as it stands. */
const namedFiles = (source: string): readonly string[] => {
  if (statSync(source).isDirectory()) {
    const names = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => pictureName.test(name))
    return names.sort().map((name) => join(source, name))
  }
  const lines = readTextSync(source).split(/\r?\n/)
  return lines.flatMap((line) => (line.trim() === "" ? [] : [resolve(dirname(source), line.trim())]))
}

const fileEntries = (source: string, maxTiles: number) =>
  Effect.map(
    Effect.try({ try: () => namedFiles(source), catch: dataUnusable }),
    (files): Entries => ({
      count: files.length,
      name: (entry) => files[entry]!,
      pictures: (entry) => Effect.succeed([{ file: files[entry]!, maxTiles }])
    })
  )

/** All records of a mixture, repeated as its meta file says. */
const recordEntries = Effect.fnUntraced(function* (meta: string, maxTiles: number) {
  const data = yield* Effect.mapError(openTrainingData({ meta, base: dirname(meta), percent: 0 }), dataUnusable)
  const pictures = (entry: number) =>
    data.record(entry).pipe(
      Effect.mapError(dataUnusable),
      Effect.flatMap(({ record, origin }) =>
        Effect.mapError(recordPictures(record, origin, maxTiles), (reason) =>
          dataUnusable(`${origin.file}:${origin.line}: ${reason}`)
        )
      )
    )
  const name = (entry: number): string => {
    const { file, line } = data.origin(entry)
    return `${file}:${line}`
  }
  return { count: data.count, name, pictures } satisfies Entries
})

/** A picture with its place among all that the sources name. */
export interface DrawnPicture extends Picture {
  readonly place: number
}

/** An entry of a source that gives no picture, and why. */
interface RefusedEntry {
  readonly entry: string
  readonly reason: string
}

type Drawn = DrawnPicture | RefusedEntry

export const isPicture = (drawn: Drawn): drawn is DrawnPicture => "file" in drawn

/** Pictures that are drawn besides those that are wanted: they take the places of some that cannot be used. */
const spares = (count: number): number => Math.max(16, Math.ceil(count / 8))

/**
 * Up to `count` different pictures and some to spare, in the order in which they were drawn: entries of all sources together, without
 * repetition, until there are enough. An entry that gives none is among them. Fails with DataUnusable, which names the source, when
 * one cannot be read as a whole, or they name no picture.
 */
export const drawPictures = Effect.fn("drawPictures")(function* (sources: PictureSources, seed: number) {
  const { count, maxTiles } = sources
  const parts = yield* Effect.forEach(sourcesOf(sources), (source) =>
    metaName.test(source) ? recordEntries(source, maxTiles) : fileEntries(source, maxTiles)
  )
  const entries = parts.reduce((sum, part) => sum + part.count, 0)
  const located = (place: number) => {
    let first = 0
    for (const part of parts) {
      if (place < first + part.count) return { part, entry: place - first }
      first += part.count
    }
    throw new RangeError(`there is no entry ${place}`)
  }
  const most = count + spares(count)
  const drawn: Drawn[] = []
  const files = new Set<string>()
  for (const place of Random.make(seed, "calibration pictures").permutation(entries)) {
    if (files.size >= most) break
    const { part, entry } = located(place)
    const found = yield* Effect.result(part.pictures(entry))
    if (Result.isFailure(found)) {
      drawn.push({ entry: part.name(entry), reason: found.failure.reason })
      continue
    }
    for (const picture of found.success) {
      if (files.size >= most || files.has(picture.file)) continue
      files.add(picture.file)
      drawn.push({ ...picture, place })
    }
  }
  if (drawn.length > 0) return drawn
  const reason = `${sourcesOf(sources).join(", ")}: no image there`
  return yield* new DataUnusable({ reason, fix: "give calibration images" })
}, Effect.scoped)
