/**
 * Links in a run's directory that lead out of it. A run writes none: whoever gives us such a directory would have us read, write or
 * remove files elsewhere. The directory itself may be reached by a link.
 */
import type { Dirent } from "node:fs"
import { lstat, readdir, readlink, realpath } from "node:fs/promises"
import { dirname, join, relative, resolve, sep } from "node:path"
import { attemptOn, FileFailed, fileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { isPlace } from "../recipe/stageLabels.ts"

const isBelow = (directory: string, path: string): boolean => path === directory || path.startsWith(directory + sep)

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined)

/** What a promise gives; undefined where there is no such file. */
const ifThere = <A>(promise: Promise<A>): Promise<A | undefined> =>
  promise.catch((error: unknown) => {
    if (codeOf(error) === "ENOENT" || codeOf(error) === "ENOTDIR") return undefined
    throw error
  })

/** Where a link leads, where that is not below `home`; undefined where it is. What does not exist could be made there. */
const wayOut = async (home: string, link: string): Promise<string | undefined> => {
  const said = await readlink(link)
  try {
    const target = await realpath(link)
    return isBelow(home, target) ? undefined : target
  } catch {
    return `${resolve(dirname(link), said)}, which cannot be followed`
  }
}

const refusal = (file: string, target: string): FileFailed =>
  new FileFailed({
    file,
    operation: "follow",
    code: "ELOOP",
    reason: `${file} is a link to ${target}, out of the run's directory; put there what it leads to, or remove it`
  })

/** The same; what the system refuses names the file that it refused. */
const looking = <A>(path: string, promise: Promise<A>): Promise<A | undefined> =>
  ifThere(promise).catch((error: unknown) => {
    const refused = error instanceof Error && "path" in error ? String(error.path) : path
    throw fileFailed(refused, "look for links", error)
  })

/** Every link at `path` and below it; of a directory of stages, in those alone. */
const linksAt = async (path: string, holdsStages: boolean): Promise<readonly string[]> => {
  const info = await looking(path, lstat(path))
  if (info?.isSymbolicLink()) return [path]
  if (!info?.isDirectory()) return []
  if (holdsStages) {
    const stages = ((await looking(path, readdir(path))) ?? []).filter(isPlace)
    const links: string[] = []
    for (const stage of stages) links.push(...(await linksAt(join(path, stage), false)))
    return links
  }
  const all = readdir(path, { withFileTypes: true, recursive: true })
  const entries: readonly Dirent[] = (await looking(path, all)) ?? []
  return entries.filter((entry) => entry.isSymbolicLink()).map((entry) => join(entry.parentPath, entry.name))
}

interface OwnNames {
  /** Files of a run, and directories with all that is below them. */
  readonly whole: readonly string[]
  /** Directories of stages, which may hold what is not ours: nobody follows that. */
  readonly stages: readonly string[]
}

/** Fails with FileFailed where one of some files of a run, or what is below it, is a link out of the run's directory. */
export const refuseLinksOut = Effect.fn("refuseLinksOut")(function* (directory: string, { whole, stages }: OwnNames) {
  const found = yield* attemptOn(directory)("look for links", async () => {
    const home = await ifThere(realpath(directory))
    if (home === undefined) return undefined
    for (const name of [...whole, ...stages]) {
      for (const link of await linksAt(join(directory, name), stages.includes(name))) {
        const target = await wayOut(home, link)
        if (target !== undefined) return { link, target }
      }
    }
    return undefined
  })
  if (found !== undefined) return yield* refusal(found.link, found.target)
})

/** The first of some files, named from the run's directory, that is reached by a link out of it. */
export const reachedOutside = (
  directory: string,
  files: readonly string[]
): Effect.Effect<string | undefined, FileFailed> =>
  attemptOn(directory)("look for links", async () => {
    const home = await ifThere(realpath(directory))
    if (home === undefined) return undefined
    for (const file of files) {
      // The file itself may be gone: it is made again, or counts as removed.
      const steps = relative(directory, resolve(directory, file)).split(sep)
      let path = directory
      for (const step of steps) {
        path = join(path, step)
        const info = await ifThere(lstat(path))
        if (info?.isSymbolicLink() && (await wayOut(home, path)) !== undefined) return file
      }
    }
    return undefined
  })
