/** Threads beside this one: workers of Node. */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Worker } from "node:worker_threads"

interface Member {
  /** Settles when the thread has told anything, or has failed. */
  readonly ready: Promise<void>
  readonly post: (message: object) => void
  /** Lets the program end while the thread sleeps. */
  readonly release: () => void
  /** Settles when the thread, which was told to, has ended. */
  readonly ended: () => Promise<void>
  readonly kill: () => void
}

/** Workers run compiled code also when this module runs from source: `npm run build` makes it, with the WebAssembly. */
const path = fileURLToPath(new URL("../../../dist/backends/native/thread/worker.js", import.meta.url))

/** Why there can be no threads; undefined where there can. */
export const threadsMissing = (): string | undefined =>
  existsSync(path) ? undefined : `its threads are not built (${path} is missing): run npm run build`

export const startMember = (): Member => {
  // No flags of the parent: its loaders are for TypeScript, which the worker is not.
  const worker = new Worker(path, { execArgv: [], env: process.env })
  return {
    ready: new Promise((resolve, reject) => {
      worker.once("message", () => {
        worker.removeAllListeners()
        resolve()
      })
      worker.once("error", reject)
      worker.once("exit", (code) => reject(new Error(`it exited with code ${code}`)))
    }),
    post: (message) => worker.postMessage(message),
    release: () => worker.unref(),
    ended: () => {
      worker.ref()
      return new Promise((resolve) => worker.once("exit", () => resolve()))
    },
    kill: () => void worker.terminate()
  }
}
