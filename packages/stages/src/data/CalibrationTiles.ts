/** Tiles of drawn pictures: crops and thumbnail, as the model sees them. */
import type { Report } from "@speedq/pipeline"
import {
  decodePage,
  ImageCodecMissing,
  type ImageSettings,
  imageTileCount,
  imageTiles,
  normalizeTiles,
  type PictureLimits,
  readImageHeader,
  readImageSize
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { DataUnusable, dataUnusable } from "../Errors.ts"
import { type DrawnPicture, drawPictures, isPicture, type PictureSources, sourcesOf } from "./calibrationPictures.ts"
import { lasting } from "./SampleTally.ts"

/** The tiles that are used; one picture is in memory at a time. */
export interface CalibrationTiles {
  readonly count: number
  /** Pictures that they are of. */
  readonly pictures: number
  /** Pictures that could not be used, in the order of the draw, and the one that was drawn after each. */
  readonly replaced: readonly ReplacedPicture[]
  /** Calls `see` with the normalized pixels [3, S, S] of every tile, in order. */
  readonly visit: <E, R>(
    see: (pixels: Float32Array, tile: number) => Effect.Effect<void, E, R>
  ) => Effect.Effect<void, E | DataUnusable, R>
}

interface ReplacedPicture {
  /** The file, or the line that names none. */
  readonly at: string
  readonly reason: string
  /** File of the picture in its place; undefined where there was none. */
  readonly by: string | undefined
}

interface Opening {
  readonly limits?: PictureLimits
  /** What a picture does that cannot be used. Default "fail". */
  readonly onError?: "fail" | "substitute"
  /** Whether pixels of pictures that others may take the places of are looked at too, or first bytes alone. Default true. */
  readonly decode?: boolean
}

/** What helps where a picture cannot be used. */
export const pictureFix =
  'repair it, take it out, load pictures that are cut off with reading.truncated "load", or set onError to "substitute"'

const decoded = (file: string, limits: PictureLimits) =>
  Effect.flatMap(readImageHeader(file, limits), (header) => decodePage(header, 0))

/** The number of tiles of a picture, or the reason why there is none. A codec that is missing is no fault of a picture. */
const tilesIn = ({ file, maxTiles }: DrawnPicture, image: ImageSettings, limits: PictureLimits, decode: boolean) =>
  readImageSize(file, limits).pipe(
    Effect.tap(() => (decode ? decoded(file, limits) : Effect.void)),
    Effect.map((size): number | string => imageTileCount(size, image, maxTiles)),
    Effect.catch((error) =>
      error instanceof ImageCodecMissing ? Effect.fail(dataUnusable(error)) : Effect.succeed(error.message)
    )
  )

/**
 * Up to `count` tiles of the pictures that `seed` draws, known from the pictures' headers; of the last one perhaps not all. They
 * are in the order of the sources: where all pictures are used, the seed decides nothing. Fails with DataUnusable, which names
 * the file; with `onError` "substitute" only where no picture can be used.
 */
export const openCalibrationTiles = Effect.fn("openCalibrationTiles")(function* (
  sources: PictureSources,
  image: ImageSettings,
  seed: number,
  { limits = {}, onError = "fail", decode = true }: Opening = {}
) {
  const used: (DrawnPicture & { readonly tiles: number })[] = []
  const replaced: ReplacedPicture[] = []
  let count = 0
  for (const drawn of yield* drawPictures(sources, seed)) {
    if (count >= sources.count) break
    const tiles = isPicture(drawn)
      ? yield* tilesIn(drawn, image, limits, decode && onError === "substitute")
      : drawn.reason
    if (typeof tiles === "string") {
      if (onError === "fail") return yield* new DataUnusable({ reason: tiles, fix: pictureFix })
      replaced.push({ at: isPicture(drawn) ? drawn.file : drawn.entry, reason: tiles, by: undefined })
    } else if (isPicture(drawn)) {
      const taken = Math.min(sources.count - count, tiles)
      used.push({ ...drawn, tiles: taken })
      count += taken
      for (let at = replaced.length - 1; at >= 0 && replaced[at]!.by === undefined; at--) {
        replaced[at] = { ...replaced[at]!, by: drawn.file }
      }
    }
  }
  if (used.length === 0) {
    const reason = `no picture of ${sourcesOf(sources).join(", ")} can be used: ${replaced[0]!.reason}`
    return yield* new DataUnusable({ reason, fix: "give calibration images" })
  }
  // Pictures of one record keep the order in which it names them.
  used.sort((a, b) => a.place - b.place)

  const tilesOf = Effect.fnUntraced(function* ({ file, maxTiles }: DrawnPicture) {
    const page = yield* Effect.mapError(
      decoded(file, limits),
      ({ message }) => new DataUnusable({ reason: message, fix: pictureFix })
    )
    const cut = imageTiles(page, image, maxTiles)
    return { pixels: normalizeTiles(cut, image.statistics), floats: 3 * cut.size ** 2 }
  })
  const visit: CalibrationTiles["visit"] = Effect.fnUntraced(function* (see) {
    let next = 0
    for (const picture of used) {
      const { pixels, floats } = yield* tilesOf(picture)
      for (let tile = 0; tile < picture.tiles; tile++) {
        yield* see(pixels.subarray(tile * floats, (tile + 1) * floats), next++)
      }
    }
  })
  return { count, pictures: used.length, replaced, visit } satisfies CalibrationTiles
})

/** What the report says of pictures that could not be used. */
export const replacedSections = ({ replaced }: Pick<CalibrationTiles, "replaced">): readonly Report.Section[] =>
  replaced.length === 0
    ? []
    : [
        {
          _tag: "Table",
          title: "Calibration images that were replaced",
          columns: ["image", "why", "by"],
          rows: replaced.map(({ at, reason, by }) => [at, lasting(reason), by ?? "none: there are fewer tiles"])
        }
      ]
