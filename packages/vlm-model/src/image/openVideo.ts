/** Opens a folder of frames, an animated image, or a container that ffmpeg reads. */
import { readdir, stat } from "node:fs/promises"
import { extname, join } from "node:path"
import { attemptOn, checkOutside } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { VideoInvalid } from "../Errors.ts"
import { decodeImage, decodePage, readImageHeader } from "./decodeImage.ts"
import { openFfmpegVideo } from "./ffmpegVideo.ts"
import type { OpenVideoOptions, VideoError, VideoSource } from "./VideoSource.ts"

const imageExtensions = new Set([".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"])
const animatedExtensions = new Set([".webp", ".gif"])

/** Opens a video. A folder's frames are its image files in the natural order of their names: 2 comes before 10. */
export const openVideo = Effect.fnUntraced(function* (
  path: string,
  options: OpenVideoOptions = {}
): Effect.fn.Return<VideoSource, VideoError> {
  const entry = yield* attemptOn(path)("open", () => stat(path))
  if (entry.isDirectory()) return yield* openFolder(path, options)
  yield* checkOutside(path, "open")
  return yield* (animatedExtensions.has(extname(path).toLowerCase()) ? openAnimated : openFfmpegVideo)(path, options)
})

const openFolder = Effect.fnUntraced(function* (
  path: string,
  options: OpenVideoOptions
): Effect.fn.Return<VideoSource, VideoError> {
  const names = (yield* attemptOn(path)("list", () => readdir(path)))
    .filter((name) => imageExtensions.has(extname(name).toLowerCase()))
    .sort(naturalOrder)
  if (names.length === 0) {
    return yield* new VideoInvalid({ file: path, reason: `the folder has no ${[...imageExtensions].join(", ")} files` })
  }
  const read: VideoSource["read"] = (indices, show) =>
    eachOnce(indices, (index) => Effect.map(decodeImage(join(path, names[index]!), options), show))
  return { file: path, frames: names.length, framesPerSecond: undefined, read }
})

const openAnimated = Effect.fnUntraced(function* (
  path: string,
  options: OpenVideoOptions
): Effect.fn.Return<VideoSource, VideoError> {
  const header = yield* readImageHeader(path, options)
  const milliseconds = header.delays.reduce((sum, delay) => sum + delay, 0)
  const read: VideoSource["read"] = (indices, show) =>
    eachOnce(indices, (index) => Effect.map(decodePage(header, index), show))
  return {
    file: path,
    frames: header.pages,
    framesPerSecond: milliseconds > 0 ? (header.pages * 1000) / milliseconds : undefined,
    read
  }
})

/** Reads every different index once, in order. */
const eachOnce = Effect.fnUntraced(function* <A>(
  indices: ReadonlyArray<number>,
  read: (index: number) => Effect.Effect<A, VideoError>
): Effect.fn.Return<ReadonlyArray<A>, VideoError> {
  const seen = new Map<number, A>()
  for (const index of indices) if (!seen.has(index)) seen.set(index, yield* read(index))
  return indices.map((index) => seen.get(index)!)
})

const collator = new Intl.Collator("en", { numeric: true })
const naturalOrder = (a: string, b: string): number => collator.compare(a, b) || (a < b ? -1 : 1)
