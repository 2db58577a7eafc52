/** Makes a directory and those above it. */
import { mkdir, stat } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { syncDirectory } from "./syncDirectory.ts"

/** A directory that cannot be made; `code` is the system's. */
class DirectoryRefused extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

const isDirectory = async (path: string): Promise<boolean | undefined> => {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === "ENOENT" || code === "ENOTDIR") return undefined
    throw error
  }
}

const isFile = (path: string) =>
  new DirectoryRefused("ENOTDIR", `${path} is a file, not a directory; choose another place`)

/**
 * Makes `directory` where it does not exist, level by level: Node's own `recursive` asks for ever where a parent exists and the
 * system says ENOENT all the same, as /proc does. What is made is flushed to the disk. Rejects with an error that has the system's
 * `code`; for a file in the way it names the file.
 */
export const makeDirectories = async (directory: string): Promise<void> => {
  const path = resolve(directory)
  const found = await isDirectory(path)
  if (found === true) return
  if (found === false) throw isFile(path)
  await makeDirectories(dirname(path))
  try {
    await mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // Another process may have made it meanwhile.
    if (code === "EEXIST") return makeDirectories(path)
    if (code === "ENOENT") throw new DirectoryRefused("EPERM", `${dirname(path)} takes no new directories`)
    throw error
  }
  await syncDirectory(dirname(path))
}
