/**
 * Faults for a child process, loaded before anything else (`node --import`), set by the environment:
 * `CRASH_AT=n` kills the process with SIGKILL in its n-th change of the file system, in the middle of it when it is a write;
 * `DISK_BYTES=n` lets the process write n bytes in all, then the disk is full.
 * A program may import it as well, to count its changes and to choose the one in which it dies.
 */
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

let crashAt = Number(process.env.CRASH_AT ?? Number.POSITIVE_INFINITY)
let room = Number(process.env.DISK_BYTES ?? Number.POSITIVE_INFINITY)
let changes = 0

/** How often this process has changed the file system. */
export const changesSoFar = (): number => changes

/** Kills the process in its n-th change from now. */
export const crashIn = (further: number): void => {
  crashAt = changes + further
}

const die = () => process.kill(process.pid, "SIGKILL")
const isLast = () => ++changes === crashAt

/** Functions and methods of one object; arguments and results stay as they are. */
type Methods = { [name: string]: (...args: Array<unknown>) => unknown }

const full = () =>
  Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", syscall: "write" })

/** Kills before the change; a real crash just after one looks like this before the next. */
const crashing = (target: Methods, names: ReadonlyArray<string>) => {
  for (const name of names) {
    const original = target[name]!
    target[name] = function (this: unknown, ...args) {
      if (isLast()) die()
      return original.apply(this, args)
    }
  }
}

// Writes of the formats package: FileHandle.write(bytes).
const probe = await fs.promises.open(process.execPath)
const handles = Object.getPrototypeOf(probe) as Methods & { write: (bytes: Uint8Array) => Promise<unknown> }
await probe.close()
const writeHandle = handles.write
handles.write = async function (this: unknown, bytes: Uint8Array) {
  if (isLast()) {
    await writeHandle.call(this as never, bytes.subarray(0, bytes.length >> 1))
    die()
  }
  if ((room -= bytes.length) < 0) throw full()
  return writeHandle.call(this as never, bytes)
}
crashing(handles, ["sync"])

// Writes of Effect's FileSystem: fs.write(descriptor, bytes, ..., callback).
const plain = fs as unknown as Methods
const write = plain.write!
plain.write = (...args) => {
  const bytes = args[1] as Uint8Array
  if (isLast()) {
    fs.writeSync(args[0] as number, bytes.subarray(0, bytes.length >> 1))
    die()
  }
  if ((room -= bytes.length) < 0) return setImmediate(args.at(-1) as (error: Error) => void, full())
  return write(...args)
}
crashing(plain, ["writeFile", "rename", "rm", "mkdir", "link", "truncate"])
crashing(fs.promises as unknown as Methods, ["rename", "rm"])
syncBuiltinESMExports()
