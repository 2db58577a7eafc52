/** Flushes a directory's entries to the disk, alone or with all that is below them. */
import { open, readdir } from "node:fs/promises"
import { join } from "node:path"

/** What file systems say that cannot flush a directory, as some of network shares and of user space: nothing is to be done there. */
const unsupported = new Set(["EINVAL", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"])

/** Flushes a directory, so that what was made, renamed or removed in it outlasts a loss of power. Rejects with the errors of node:fs. */
export const syncDirectory = async (directory: string): Promise<void> => {
  // Windows opens no directories and keeps its entries in a journal.
  if (process.platform === "win32") return
  const opened = await open(directory, "r")
  try {
    await opened.sync()
  } catch (error) {
    if (!unsupported.has((error as NodeJS.ErrnoException).code ?? "")) throw error
  } finally {
    await opened.close()
  }
}

/** Flushes a directory and everything in it: what was copied there by other means than AtomicFile's. Rejects with the errors of node:fs. */
export const syncTree = async (directory: string): Promise<void> => {
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isDirectory()) await syncDirectory(path)
    if (!entry.isFile()) continue
    // Windows flushes only what may be written.
    const opened = await open(path, process.platform === "win32" ? "r+" : "r")
    try {
      await opened.sync()
    } finally {
      await opened.close()
    }
  }
  await syncDirectory(directory)
}
