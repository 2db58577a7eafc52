/**
 * Files that appear in a directory together: all are written and flushed in a directory of their own inside of it, then moved to their
 * places. It is inside, and not beside, so that the directory may be a mount, a link, or hold other files.
 */
import { existsSync } from "node:fs"
import { mkdir, rename, rm } from "node:fs/promises"
import { basename, dirname, isAbsolute, join, normalize, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { FileFailed } from "../Errors.ts"
import { attemptOn } from "../internal/attempt.ts"
import { flushDirectory, type Written, writeWhole } from "./AtomicFile.ts"
import { fileDigest } from "./fileDigest.ts"
import { makeDirectories } from "./makeDirectories.ts"
import { readTextSync } from "./outsideFile.ts"
import { removeEmpty } from "./removeEmpty.ts"
import { forgetTemporary, leftoversOf, nextTemporary } from "./temporaries.ts"

/** Files on their way into a directory. They are dropped when the scope ends before `publish`. */
export interface Staging {
  /** Where they are to be written, each flushed, as AtomicFile does. */
  readonly directory: string
  /**
   * Moves the files to their places, in place of what is there; `file` is a path from the directory. The last one, which says
   * that the others are whole, is taken away first and moved when they are on the disk.
   */
  readonly publish: (files: ReadonlyArray<Written>) => Effect.Effect<void, FileFailed>
}

const placeIn = (directory: string): string => join(directory, "unfinished")
/** Written into the staging directory before the first file is moved: what is in its place by then is known by it. */
const listName = ".moving.json"
const List = Schema.fromJsonString(
  Schema.Array(Schema.Struct({ file: Schema.String, sha256: Schema.String, bytes: Schema.Number }))
)
const encodeList = Schema.encodeSync(List)
const decodeList = Schema.decodeUnknownOption(List)

/** Stages files for `directory`, which is made; removes first what a killed process left there. */
export const make: (directory: string) => Effect.Effect<Staging, FileFailed, Scope.Scope> = Effect.fnUntraced(
  function* (directory) {
    const attempt = attemptOn(directory)
    yield* attempt("create", () => makeDirectories(directory))
    yield* removeUnfinished(directory)
    const staged = yield* Effect.acquireRelease(
      attempt("create a directory in it", async () => {
        const made = nextTemporary(placeIn(directory))
        await mkdir(made)
        return made
      }),
      (made) => drop(directory, made).pipe(Effect.ensuring(Effect.sync(() => forgetTemporary(made))), Effect.ignore)
    )
    const publish = Effect.fnUntraced(function* (files: ReadonlyArray<Written>): Effect.fn.Return<void, FileFailed> {
      yield* writeWhole(join(staged, listName), new TextEncoder().encode(encodeList(files)))
      const last = files.at(-1)
      if (last === undefined) return
      const move = ({ file }: Written) =>
        attemptOn(join(directory, file))("move here", async () => {
          await makeDirectories(dirname(join(directory, file)))
          await rename(join(staged, file), join(directory, file))
        })
      const others = files.slice(0, -1)
      yield* attemptOn(join(directory, last.file))("replace", () => rm(join(directory, last.file), { force: true }))
      yield* flushDirectory(dirname(join(directory, last.file)))
      yield* Effect.forEach(others, move, { discard: true })
      const directories = new Set(others.map(({ file }) => dirname(join(directory, file))))
      yield* Effect.forEach(directories, flushDirectory, { discard: true })
      yield* move(last)
      yield* flushDirectory(dirname(join(directory, last.file)))
    }, Effect.uninterruptible)
    return { directory: staged, publish }
  }
)

/**
 * Removes what killed processes left on its way into `directory`: what they staged, and what they had moved, if it still is what
 * they wrote. Where all had been moved, they stay. A process that runs keeps what is its own. A directory that does not exist holds nothing.
 */
export const removeUnfinished: (directory: string) => Effect.Effect<void, FileFailed> = Effect.fnUntraced(
  function* (directory) {
    const attempt = attemptOn(directory)
    const leftovers = yield* attempt("list", () => ifThere(leftoversOf(placeIn(directory)), []))
    yield* Effect.forEach(leftovers, (staged) => drop(directory, staged), { discard: true })
    if (leftovers.length > 0) yield* flushDirectory(directory)
  }
)

/** Removes a staging directory, and what had been moved out of it, unless that is everything. */
const drop = Effect.fnUntraced(function* (directory: string, staged: string): Effect.fn.Return<void, FileFailed> {
  const attempt = attemptOn(directory)
  const files = yield* attempt("list what was staged", () => listed(staged))
  const isMoved = ({ file }: Written) => !existsSync(join(staged, file)) && existsSync(join(directory, file))
  // Once the last one has moved, all are there.
  const isDone = files.slice(-1).some(isMoved)
  for (const written of isDone ? [] : files) {
    const file = join(directory, written.file)
    const found = isMoved(written) ? yield* Effect.orElseSucceed(fileDigest(file), () => undefined) : undefined
    if (found?.sha256 === written.sha256) yield* attemptOn(file)("remove", () => rm(file))
    yield* Effect.ignore(removeEmpty(resolve(dirname(file)), resolve(directory)))
  }
  yield* attempt(`remove ${basename(staged)}`, () => rm(staged, { recursive: true, force: true }))
})

/** What a promise gives, or `otherwise` where the file that it is about does not exist. */
const ifThere = async <A>(reading: Promise<A>, otherwise: A): Promise<A> => {
  try {
    return await reading
  } catch (error) {
    if (["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return otherwise
    throw error
  }
}

/** The files that were staged for the directory, where their moving had begun. */
const listed = async (staged: string): Promise<ReadonlyArray<Written>> => {
  const list = decodeList(existsSync(join(staged, listName)) ? readTextSync(join(staged, listName)) : "[]")
  return Option.getOrElse(list, () => []).filter(({ file }) => !isAbsolute(file) && !normalize(file).startsWith(".."))
}
