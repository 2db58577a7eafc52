/** Files of a page with a model, with the headers that let it run on threads and reach nothing else. */
import { readBytes } from "@speedq/formats"
import { mediaType, pageHeaders } from "@speedq/web"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/** Paths of files by what their addresses end with. */
export type PageFiles = ReadonlyMap<string, string>

/** The file that a path means; undefined where there is none. Fails with FileFailed. */
export const pageFile = Effect.fnUntraced(function* (files: PageFiles, path: string) {
  const file = files.get(path.slice(1))
  if (file === undefined) return undefined
  const bytes = yield* readBytes(file)
  // A page that is exported again is another one.
  const headers = { ...pageHeaders, "cache-control": "no-cache" }
  return HttpServerResponse.uint8Array(bytes, { contentType: mediaType(file), headers })
})
