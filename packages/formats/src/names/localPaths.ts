/**
 * Text for others. Absolute paths tell of the machine that wrote it and of its user: what lies below the current directory keeps
 * its path from there, anything else its last name.
 */
import { dirname, isAbsolute, sep, win32 } from "node:path"

/** The current directory with a separator behind it; undefined where that is the root, below which everything lies. */
const here = (): string | undefined => {
  const directory = process.cwd()
  return dirname(directory) === directory ? undefined : directory + sep
}

/** A path for others; a relative one stays as it is. `publicPath("/home/ann/models/InternVL3-1B")` is "InternVL3-1B". */
const publicPath = (path: string): string => {
  const directory = here()
  if (directory !== undefined && path.startsWith(directory)) return path.slice(directory.length)
  // Paths of another system, too: what is exported here may have been made there.
  return isAbsolute(path) || win32.isAbsolute(path) ? win32.basename(path) || path : path
}

const name = String.raw`[^\s"'\`()<>|:*?,;\\/]+`
/** After a space or an opening mark: `/a/b`, `C:\a`, `\\server\a`, and the same as `file:` URLs. */
const absolutePath = new RegExp(
  String.raw`(?<=^|[\s"'\`(=[{,])(?:file://)?(?:/(?:${name}/)+${name}|(?:[A-Za-z]:|\\)[\\/](?:${name}[\\/])*${name})`,
  "g"
)

/** A text for others. Where a path has spaces, what stands behind the first may stay, unless it is below the current directory. */
export const publicText = (text: string): string => {
  const directory = here()
  const short = directory === undefined ? text : text.replaceAll(directory, "")
  return short.replaceAll(absolutePath, (path) => publicPath(path.replace(/^file:\/\//, "")))
}

type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [name: string]: Json }

/** JSON for others: its strings that are absolute paths, as `publicPath` has them. */
export const publicJson = (json: Json): Json => {
  if (typeof json === "string") return publicPath(json)
  if (json === null || typeof json !== "object") return json
  if (Array.isArray(json)) return json.map(publicJson)
  return Object.fromEntries(Object.entries(json).map(([field, value]) => [field, publicJson(value)]))
}
