/** Which pictures of some records cannot be read, by the first bytes of their files. */
import { ImageCodecMissing, type PictureLimits, readImageSize, type Shown } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { located, pathsOf } from "./pictureSurvey.ts"

/** A picture that is there and cannot be read, with the line that names it, counted from 0. */
export interface UnreadablePicture {
  readonly line: number
  readonly reason: string
}

interface Records {
  readonly lines: ArrayLike<number>
  readonly shown: readonly (Shown | undefined)[]
}

/** Looks at the pictures below `root`, not at videos. A file that is not there, or a codec that is missing, is said elsewhere. */
export const surveyHeaders = (root: string, { lines, shown }: Records, limits: PictureLimits) =>
  Effect.map(
    Effect.forEach(shown, (each, place) => {
      const paths = each?.kind === "video" ? [] : pathsOf(each)
      return Effect.forEach(paths, (path) =>
        Effect.match(readImageSize(located(root, path), limits), {
          onSuccess: () => [],
          onFailure: (error): readonly UnreadablePicture[] =>
            error instanceof ImageCodecMissing || error._tag === "FileFailed"
              ? []
              : [{ line: lines[place]!, reason: error.message }]
        })
      )
    }),
    (found) => found.flat(2)
  )
