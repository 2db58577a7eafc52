/** Which pictures and videos of some records are there, and a digest of them: of size and time, or of their bytes. */
import { createHash } from "node:crypto"
import { readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { recordPath, type Shown } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { fileDigest } from "./fileDigest.ts"
import { digestBytes, type SurveyedLines } from "./recordSurvey.ts"

/** What tells that a picture changed: its size and the time of its last change, or its bytes. */
export type PictureDigests = "time" | "bytes"

export interface SurveyedPictures {
  /** [lines, digestBytes]; zeros where a record shows nothing. */
  readonly digests: Uint8Array
  /** Pictures and videos that were looked for. */
  readonly count: number
  /** Those that are not there, with the line that names each, counted from 0. */
  readonly missing: readonly { readonly line: number; readonly path: string }[]
  /** Video files that only ffmpeg reads; the first of them. */
  readonly needsFfmpeg: string | undefined
  readonly videos: number
}

/** Pictures, or the video, that a record names. */
export const pathsOf = (shown: Shown | undefined): readonly string[] => {
  if (shown === undefined || shown.kind === "text") return []
  return shown.kind === "images" ? shown.paths : [shown.path]
}

/** Where a record's entry lies; a remote one lies nowhere. */
export const located = (root: string, entry: string): string =>
  Effect.runSync(Effect.orElseSucceed(recordPath(root, entry), () => entry))

/** Formats of videos that are read without ffmpeg. */
const animated = /\.(gif|webp)$/i

/** Pictures that are asked for together. */
const together = 32

/** Surveys the pictures of records below `root`. `told` is called now and then with how many records were looked at. */
export const surveyPictures = async (
  root: string,
  { lines, shown }: Pick<SurveyedLines, "lines" | "shown">,
  by: PictureDigests,
  told: (done: number) => void = () => {}
): Promise<SurveyedPictures> => {
  const known = new Map<string, Promise<string | undefined>>()
  const entryOf = async (path: string): Promise<string | undefined> => {
    try {
      const found = await stat(path, { bigint: true })
      if (found.isDirectory()) {
        const names = (await readdir(path)).sort()
        const frames = await Promise.all(names.map(async (name) => `${name} ${await entryOf(join(path, name))}`))
        return `folder ${frames.join("\n")}`
      }
      return by === "bytes" ? await fileDigest(path) : `${found.size} ${found.mtimeNs}`
    } catch {
      return undefined
    }
  }
  const lookedAt = (path: string): Promise<string | undefined> => {
    const before = known.get(path)
    if (before !== undefined) return before
    const found = entryOf(path)
    known.set(path, found)
    return found
  }
  const digests = new Uint8Array(lines.length * digestBytes)
  const missing: { line: number; path: string }[] = []
  let needsFfmpeg: string | undefined
  let [count, videos] = [0, 0]
  const look = async (place: number) => {
    const paths = pathsOf(shown[place]).map((path) => located(root, path))
    if (paths.length === 0) return
    const found = await Promise.all(paths.map(lookedAt))
    count += paths.length
    for (const [at, entry] of found.entries()) {
      if (entry === undefined) missing.push({ line: lines[place]!, path: paths[at]! })
    }
    if (shown[place]!.kind === "video") {
      videos++
      if (!animated.test(paths[0]!) && found[0]?.startsWith("folder ") === false) needsFfmpeg ??= paths[0]
    }
    const text = found.map((entry) => entry ?? "missing").join("\n")
    digests.set(createHash("sha256").update(text).digest().subarray(0, digestBytes), place * digestBytes)
  }
  for (let first = 0; first < lines.length; first += together) {
    await Promise.all(Array.from({ length: Math.min(together, lines.length - first) }, (_, at) => look(first + at)))
    told(Math.min(first + together, lines.length))
  }
  missing.sort((a, b) => a.line - b.line)
  return { digests, count, missing, needsFfmpeg, videos }
}
