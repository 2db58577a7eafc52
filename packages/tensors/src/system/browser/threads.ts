/** Threads beside this one: workers of a page. They share memory where the page is cross-origin isolated, which its server decides. */

declare const crossOriginIsolated: boolean

/** The part of the API of workers that is used here. */
declare class Worker {
  constructor(url: URL, options: { readonly type: "module" })
  onmessage: (() => void) | null
  onerror: ((event: { readonly message?: string; readonly preventDefault: () => void }) => void) | null
  postMessage(message: object): void
  terminate(): void
}

interface Member {
  /** Settles when the thread has told anything, or has failed. */
  readonly ready: Promise<void>
  readonly post: (message: object) => void
  /** Pages end when they are left. */
  readonly release: () => void
  readonly ended: () => Promise<void>
  readonly kill: () => void
}

/** Why there can be no threads; undefined where there can. */
export const threadsMissing = (): string | undefined =>
  crossOriginIsolated
    ? undefined
    : "threads share no memory in a page that is not cross-origin isolated; serve it with the headers COOP and COEP, or use one thread"

export const startMember = (): Member => {
  // Bundlers look for this very expression.
  const worker = new Worker(new URL("../../../dist/backends/native/thread/worker.js", import.meta.url), {
    type: "module"
  })
  return {
    ready: new Promise((resolve, reject) => {
      worker.onmessage = () => resolve()
      worker.onerror = (event) => {
        // Who waits for the thread tells of it; else the error goes on to the page, too.
        event.preventDefault()
        reject(new Error(event.message ?? "its script did not load"))
      }
    }),
    post: (message) => worker.postMessage(message),
    release: () => {},
    ended: async () => worker.terminate(),
    kill: () => worker.terminate()
  }
}
