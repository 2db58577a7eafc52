/**
 * Lets `node:fs` do at once, in this thread, what it hands to its pool of threads. For files in memory the way there and back takes
 * longer than nearly every reading of a mutated file, and waits for a processor where others use all. Promises and callbacks are
 * still settled later, as their users expect.
 */
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"

type Arguments = Array<unknown>
type Methods = { [name: string]: (...args: Arguments) => unknown }
type Callback = (error: unknown, ...results: Arguments) => void

const plain = fs as unknown as Methods
const promises = fs.promises as unknown as Methods
const atOnce = (name: string) => plain[`${name}Sync`]!

/** What a file handle does, by its descriptor. */
class Handle {
  readonly fd: number
  readonly read = this.#bound("read", (bytesRead, [buffer]) => ({ bytesRead, buffer }))
  readonly appendFile = this.#bound("appendFile")
  readonly stat = this.#bound("fstat")
  readonly sync = this.#bound("fsync")
  readonly close = this.#bound("close")

  constructor(fd: number) {
    this.fd = fd
  }

  #bound(name: string, given: (result: unknown, args: Arguments) => unknown = (result) => result) {
    const call = atOnce(name)
    return async (...args: Arguments) => given(call(this.fd, ...args), args)
  }
}

/** From now on files are read in this thread. */
export const readInThisThread = (): void => {
  for (const name of ["stat", "lstat", "access", "readFile", "readdir", "realpath", "mkdir", "mkdtemp", "rm"]) {
    const call = atOnce(name)
    promises[name] = async (...args) => call(...args)
  }
  const open = atOnce("open")
  promises.open = async (...args) => new Handle(open(...args) as number)
  for (const name of ["stat", "fstat", "access", "readFile", "readdir", "open", "read", "close"]) {
    const call = atOnce(name)
    plain[name] = (...args) => {
      const callback = args.pop() as Callback
      try {
        // `read` gives its buffer, too.
        process.nextTick(callback, null, call(...args), args[1])
      } catch (error) {
        process.nextTick(callback, error)
      }
    }
  }
  syncBuiltinESMExports()
}
