/** Training samples that show a video: frames become images of one tile each. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ImageCodecMissing } from "../Errors.ts"
import { openVideo } from "../image/openVideo.ts"
import { wholeTile } from "../image/preprocess.ts"
import type { RgbImage } from "../image/RgbImage.ts"
import { clipFrames, sampleFrames } from "../image/sampleFrames.ts"
import { joinTiles } from "../image/tiling.ts"
import type { VideoSource } from "../image/VideoSource.ts"
import { type RandomSource, uniformBetween } from "../model/RandomSource.ts"
import { augmentImage } from "./augment.ts"
import { type EncodedConversation, encodeConversation, type Turn } from "./encodeConversation.ts"
import { imagePlaceholder, videoLine } from "./imagePlaceholders.ts"
import type { MarkedTurns } from "./markedTurns.ts"
import { type Refusal, refusal, refusedFile } from "./Refusal.ts"
import { recordPath } from "./recordPath.ts"
import type { SampleParts } from "./SampleParts.ts"
import type { RecordOrigin, SampleSettings } from "./SampleSettings.ts"

/**
 * `<video>\n` in its turn becomes `Frame-1: <image>\n` and so on. The number of frames is drawn at random, and
 * then lowered until the whole sequence fits (`quirks.uncappedVideo` leaves it, as the reference does).
 */
export const videoSample = Effect.fnUntraced(function* (
  { turns, index }: MarkedTurns,
  shown: { readonly path: string; readonly clip: readonly [number, number] | undefined },
  origin: RecordOrigin,
  settings: SampleSettings,
  random: RandomSource
): Effect.fn.Return<SampleParts, Refusal | ImageCodecMissing> {
  const { video, image, quirks } = settings
  const opening = { maxPixels: settings.maxPixels, truncated: settings.truncated, ffmpeg: video.ffmpeg }
  const path = yield* Effect.mapError(recordPath(origin.root, shown.path), refusal("missing file"))
  const source = yield* Effect.mapError(openVideo(path, opening), refusedFile)
  const { first, count } = yield* Effect.mapError(shownFrames(source, shown.clip, settings), refusal("what it shows"))

  const drawn = uniformBetween(random, video.minFrames, video.maxFrames)
  const frames = quirks.uncappedVideo ? drawn : yield* fittingFrames(turns, index, drawn, settings)
  const encoded = yield* Effect.fromResult(encodeFrames(turns, index, frames, settings))

  const tiles = Effect.gen(function* () {
    const indices = sampleFrames(count, frames, video.sampling, random).map((frame) => first + frame)
    const each = origin.dataAugment
      ? yield* Effect.forEach(yield* source.read(indices, (frame) => frame), (frame) =>
          Effect.map(augmentImage(frame, random), (augmented) => wholeTile(augmented, image))
        )
      : yield* source.read(indices, (frame: RgbImage) => wholeTile(frame, image))
    return joinTiles(each, image.tileSize)
  })
  return {
    encoded,
    tiles: Effect.mapError(tiles, refusedFile),
    imageFlags: new Uint8Array(frames).fill(1),
    images: quirks.uncappedVideo ? undefined : frames
  }
})

const shownFrames = (
  source: VideoSource,
  clip: readonly [number, number] | undefined,
  { video }: SampleSettings
): Effect.Effect<{ readonly first: number; readonly count: number }, string> => {
  if (clip === undefined) return Effect.succeed({ first: 0, count: source.frames })
  const framesPerSecond = source.framesPerSecond ?? video.framesPerSecond
  const name = `the clip from ${clip[0]} to ${clip[1]} s`
  if (framesPerSecond === undefined) {
    return Effect.fail(`${name} needs a frame rate, which ${source.file} does not tell; set framesPerSecond`)
  }
  const { first, count } = clipFrames(clip, framesPerSecond)
  const available = Math.min(count, source.frames - first)
  return first >= 0 && available > 0
    ? Effect.succeed({ first, count: available })
    : Effect.fail(
        `${name} at ${framesPerSecond} frames a second has none of the ${source.frames} frames of ${source.file}`
      )
}

const encodeFrames = (
  turns: ReadonlyArray<Turn>,
  index: number,
  frames: number,
  settings: SampleSettings
): Result.Result<EncodedConversation, Refusal> => {
  const listed = Array.from({ length: frames }, (_, i) => `Frame-${i + 1}: ${imagePlaceholder}\n`).join("")
  const placed = turns.map((turn, i) =>
    i === index ? { ...turn, value: turn.value.replaceAll(videoLine, () => listed) } : turn
  )
  return Result.mapError(encodeConversation(placed, new Array<number>(frames).fill(1), settings), refusal("turns"))
}

/** The largest number of frames, up to `drawn`, whose sequence is not longer than the settings allow. */
const fittingFrames = Effect.fnUntraced(function* (
  turns: ReadonlyArray<Turn>,
  index: number,
  drawn: number,
  settings: SampleSettings
): Effect.fn.Return<number, Refusal> {
  const unbounded = { ...settings, maxLength: Number.POSITIVE_INFINITY }
  let [fits, tooMany, shortest] = [0, drawn + 1, 0]
  for (let frames = drawn; fits + 1 < tooMany; frames = (fits + tooMany) >> 1) {
    const { inputIds } = yield* Effect.fromResult(encodeFrames(turns, index, frames, unbounded))
    if (inputIds.length <= settings.maxLength) fits = frames
    else [tooMany, shortest] = [frames, inputIds.length]
  }
  if (fits > 0) return fits
  const reason = `with one frame the sequence has ${shortest} tokens, more than ${settings.maxLength}`
  return yield* Effect.fail(refusal("length")(reason))
})
