/** Files of a directory. In the hub's cache a model is a directory of symbolic links: what they lead to counts. */
import { readdirSync, statSync } from "node:fs"
import { join } from "node:path"

/** Names of the files at the top of a directory, in order. Throws the errors of node:fs. */
export const filesOf = (directory: string): readonly string[] =>
  readdirSync(directory)
    .filter((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.isFile() ?? false)
    .sort()

/** The same with those of the directories below, as paths from `directory`. */
export const allFilesOf = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, encoding: "utf8" })
    .filter((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.isFile() ?? false)
    .sort()
