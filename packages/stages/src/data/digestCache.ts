/** Digests of large files from earlier processes, in the user's cache directory. Whatever is wrong with the cache, the files are read again. */
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { AtomicFile, makeDirectories, readText } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** `identity` is what tells a file from a changed one: its size, times, device and inode. */
const Kept = Schema.Struct({ identity: Schema.String, digest: Schema.String })
type Kept = typeof Kept.Type
const Cache = Schema.fromJsonString(
  Schema.Struct({ version: Schema.Literal(1), files: Schema.Record(Schema.String, Kept) })
)
const decode = Schema.decodeUnknownOption(Cache)
const encode = Schema.encodeSync(Cache)

/** The oldest entries go first. */
const mostEntries = 1000

const directory = (): string => {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, "speedq")
  if (process.platform === "win32" && LOCALAPPDATA) return join(LOCALAPPDATA, "speedq")
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "speedq")
  return join(homedir(), ".cache", "speedq")
}
const cacheFile = (): string => join(directory(), "digests.json")

const read = async (): Promise<Readonly<Record<string, Kept>>> => {
  const text = await Effect.runPromise(Effect.orElseSucceed(readText(cacheFile()), () => ""))
  return Option.match(decode(text), { onNone: () => ({}), onSome: ({ files }) => files })
}

/** The digest of a file that is still what it was. */
export const keptDigest = async (path: string, identity: string): Promise<string | undefined> => {
  const kept = (await read())[path]
  return kept?.identity === identity ? kept.digest : undefined
}

/** Keeps a digest. A cache that cannot be written costs time and nothing else. */
export const keepDigest = async (path: string, kept: Kept): Promise<void> => {
  const { [path]: _, ...others } = await read()
  const files = Object.fromEntries([...Object.entries(others), [path, kept]].slice(-mostEntries))
  const file = cacheFile()
  const writing = Effect.tryPromise(() => makeDirectories(dirname(file))).pipe(
    Effect.andThen(AtomicFile.writeWhole(file, new TextEncoder().encode(encode({ version: 1, files })))),
    Effect.ignore
  )
  await Effect.runPromise(writing)
}
