/** Flushes a directory's entries to the disk. */
import { open } from "node:fs/promises"

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
