/**
 * A lock that the kernel holds for a process, flock(2) on a directory: it ends with the process however that ends, and processes of
 * other containers on the same machine see it. Node cannot ask for it; the npm package koffi calls the function.
 */
import { closeSync, openSync } from "node:fs"
import { createRequire } from "node:module"
import { constants } from "node:os"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** `none`: the system, the file system (NFS, for directories) or a missing package gives no such lock. */
export type KernelLock = "held" | "busy" | "none"

const exclusive = 2
const withoutWaiting = 4
type Flock = (descriptor: number) => { readonly locked: boolean; readonly errno: number }

const load = (): Flock | undefined => {
  if (process.platform === "win32") return undefined
  try {
    const koffi: typeof import("koffi") = createRequire(import.meta.url)("koffi")
    const flock = koffi.load(null).func("int flock(int descriptor, int operation)")
    return (descriptor) => {
      const locked = flock(descriptor, exclusive | withoutWaiting) === 0
      return { locked, errno: koffi.errno() }
    }
  } catch {
    // koffi is optional: without it the lock's owner is judged by what the lock file says.
    return undefined
  }
}
let flock: Flock | undefined | null = null

const attempt = (descriptor: number): KernelLock => {
  if (flock === null) flock = load()
  if (flock === undefined) return "none"
  const { locked, errno } = flock(descriptor)
  if (locked) return "held"
  return errno === constants.errno.EWOULDBLOCK || errno === constants.errno.EAGAIN ? "busy" : "none"
}

/** Locks a directory for the life of the scope, without waiting. */
export const lockDirectory = (directory: string): Effect.Effect<KernelLock, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      try {
        const descriptor = openSync(directory, "r")
        return { descriptor, lock: attempt(descriptor) }
      } catch {
        // A directory that may not be read, or Windows, which opens none.
        return { descriptor: undefined, lock: "none" as const }
      }
    }),
    ({ descriptor }) => Effect.sync(() => descriptor !== undefined && closeSync(descriptor))
  ).pipe(Effect.map(({ lock }) => lock))
