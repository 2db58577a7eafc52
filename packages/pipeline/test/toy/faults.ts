/**
 * Faults for a child process, loaded before anything else (`node --import`), set by the environment:
 * `CRASH_AT=n` kills the process with SIGKILL in its n-th change of the file system, in the middle of it when it is a write;
 * `DISK_BYTES=n` lets the process write n bytes in all, then the disk is full.
 * A program may import it as well, to choose the change in which it dies.
 */
import { isReading, watch } from "./operations.ts"

let crashAt = Number(process.env.CRASH_AT ?? Number.POSITIVE_INFINITY)
let room = Number(process.env.DISK_BYTES ?? Number.POSITIVE_INFINITY)
let changes = 0

/** Kills the process in its n-th change from now. */
export const crashIn = (further: number): void => {
  crashAt = changes + further
}

const die = () => process.kill(process.pid, "SIGKILL")

watch({
  before: (operation) => {
    if (isReading(operation)) return undefined
    if (++changes === crashAt) {
      // Killed before the change: a crash just after one looks like this before the next. A write is half done.
      if (operation.kind !== "write") die()
      else return { bytes: operation.bytes.length >> 1 }
    }
    return operation.kind === "write" && (room -= operation.bytes.length) < 0 ? { code: "ENOSPC" } : undefined
  },
  after: () => {
    if (changes >= crashAt) die()
  }
})
