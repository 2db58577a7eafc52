/** Video containers through an ffmpeg process: frames come as raw RGB through a pipe. */
import { spawn } from "node:child_process"
import * as Effect from "effect/Effect"
import { FfmpegMissing, ImageTooLarge, VideoInvalid } from "../Errors.ts"
import { defaultMaxPixels } from "./maxPixels.ts"
import type { RgbImage } from "./RgbImage.ts"
import type { OpenVideoOptions, VideoError, VideoSource } from "./VideoSource.ts"

/** Counts the frames of a container's first video stream and prepares to read them. */
export const openFfmpegVideo = Effect.fnUntraced(function* (
  file: string,
  options: OpenVideoOptions
): Effect.fn.Return<VideoSource, VideoError> {
  const command = options.ffmpeg ?? "ffmpeg"
  const { width, height, frames, framesPerSecond } = yield* probe(command, file)
  const maxPixels = options.maxPixels ?? defaultMaxPixels
  if (width * height > maxPixels) return yield* new ImageTooLarge({ file, width, height, maxPixels })

  const read = Effect.fnUntraced(function* <A>(
    indices: ReadonlyArray<number>,
    show: (frame: RgbImage) => A
  ): Effect.fn.Return<ReadonlyArray<A>, VideoError> {
    const wanted = [...new Set(indices)]
    const frameBytes = width * height * 3
    const shown: Array<A> = []
    let frame = new Uint8Array(frameBytes)
    let filled = 0
    const onData = (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; ) {
        const piece = chunk.subarray(at, at + frameBytes - filled)
        frame.set(piece, filled)
        filled += piece.length
        at += piece.length
        if (filled < frameBytes) continue
        shown.push(show({ width, height, data: frame }))
        frame = new Uint8Array(frameBytes)
        filled = 0
      }
      return shown.length <= wanted.length
    }
    const select = `select='${wanted.map((index) => `eq(n,${index})`).join("+")}'`
    yield* run(command, file, [...input(file), "-vf", select, ...rawFrames(wanted.length)], onData)
    if (shown.length !== wanted.length || filled > 0) {
      const reason = `ffmpeg decoded ${shown.length} of the ${wanted.length} frames ${wanted.join(", ")}; the video is damaged`
      return yield* new VideoInvalid({ file, reason })
    }
    return indices.map((index) => shown[wanted.indexOf(index)]!)
  })
  return { file, frames, framesPerSecond, read }
})

/** Longest run of ffmpeg, most packets of a video, and most bytes of their list: a damaged or hostile file may have no end. */
const longestSeconds = 600
const mostFrames = 1_000_000
const mostListBytes = 128 * 2 ** 20

// "file:" keeps a name with a colon from being taken for a protocol, and no other protocol is allowed to what a container or a playlist
// refers to. Rotation flags are ignored, as in images.
const input = (file: string): ReadonlyArray<string> => [
  ...["-protocol_whitelist", "file,crypto,data", "-noautorotate"],
  ...["-i", `file:${file}`, "-map", "0:v:0"]
]
const rawFrames = (count: number): ReadonlyArray<string> => [
  "-fps_mode",
  "passthrough",
  "-frames:v",
  String(count),
  "-pix_fmt",
  "rgb24",
  "-f",
  "rawvideo",
  "-"
]

interface Probe {
  readonly width: number
  readonly height: number
  readonly frames: number
  readonly framesPerSecond: number | undefined
}

/** ffmpeg's framecrc format lists every packet without decoding it: `stream, dts, pts, duration, size, checksum`. */
const probe = Effect.fnUntraced(function* (
  command: string,
  file: string
): Effect.fn.Return<Probe, FfmpegMissing | VideoInvalid> {
  const chunks: Array<Buffer> = []
  let listed = 0
  const onData = (chunk: Buffer): boolean => {
    chunks.push(chunk)
    listed += chunk.length
    return listed <= mostListBytes
  }
  const limits = ["-frames:v", String(mostFrames + 1)]
  yield* run(command, file, [...input(file), "-c", "copy", ...limits, "-f", "framecrc", "-"], onData)
  const lines = Buffer.concat(chunks).toString("utf8").split("\n")
  const header = (pattern: RegExp) => lines.map((line) => pattern.exec(line)).find((match) => match !== null)
  const size = header(/^#dimensions 0: (\d+)x(\d+)/)
  const timeBase = header(/^#tb 0: (\d+)\/(\d+)/)
  const packets = lines.filter((line) => /^0,/.test(line)).map((line) => line.split(",").map(Number))
  if (!size || !timeBase || packets.length === 0) {
    return yield* new VideoInvalid({ file, reason: "ffmpeg finds no video frames in it" })
  }
  if (packets.length > mostFrames) {
    return yield* new VideoInvalid({
      file,
      reason: `it has more than ${mostFrames} frames; cut it into shorter videos`
    })
  }
  let [start, end] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const [, , pts, duration] of packets) {
    start = Math.min(start, pts!)
    end = Math.max(end, pts! + duration!)
  }
  const seconds = ((end - start) * Number(timeBase[1])) / Number(timeBase[2])
  const framesPerSecond = seconds > 0 ? packets.length / seconds : undefined
  return { width: Number(size[1]), height: Number(size[2]), frames: packets.length, framesPerSecond }
})

const keptErrorBytes = 4096

/** Runs ffmpeg to its end and hands on what it prints, until `onData` says that it is too much; it is killed when the effect is interrupted. */
const run = (
  command: string,
  file: string,
  parameters: ReadonlyArray<string>,
  onData: (chunk: Buffer) => boolean
): Effect.Effect<void, FfmpegMissing | VideoInvalid> =>
  ended(command, file, parameters, onData).pipe(
    Effect.timeoutOrElse({
      duration: `${longestSeconds} seconds`,
      orElse: () =>
        Effect.fail(new VideoInvalid({ file, reason: `${command} did not end within ${longestSeconds} s; convert it` }))
    })
  )

const ended = (
  command: string,
  file: string,
  parameters: ReadonlyArray<string>,
  onData: (chunk: Buffer) => boolean
): Effect.Effect<void, FfmpegMissing | VideoInvalid> =>
  Effect.callback((resume) => {
    const child = spawn(command, ["-v", "error", "-nostdin", ...parameters], { stdio: ["ignore", "pipe", "pipe"] })
    let said = ""
    child.stdout.on("data", (chunk: Buffer) => {
      if (onData(chunk)) return
      child.stdout.removeAllListeners("data")
      child.kill("SIGKILL")
      resume(Effect.fail(new VideoInvalid({ file, reason: `${command} gives more than was asked for; convert it` })))
    })
    child.stderr.on("data", (chunk: Buffer) => {
      if (said.length < keptErrorBytes) said += chunk.toString("utf8")
    })
    child.on("error", (error: NodeJS.ErrnoException) => {
      const reason = `cannot start ${command}: ${error.message}`
      resume(
        Effect.fail(error.code === "ENOENT" ? new FfmpegMissing({ file, command }) : new VideoInvalid({ file, reason }))
      )
    })
    child.on("close", (code, signal) => {
      if (code === 0) return resume(Effect.void)
      const reason = `${command} failed (${signal ?? `exit ${code}`}): ${said.trim().split("\n")[0]?.slice(0, 300)}`
      resume(Effect.fail(new VideoInvalid({ file, reason })))
    })
    return Effect.sync(() => child.kill("SIGKILL"))
  })
