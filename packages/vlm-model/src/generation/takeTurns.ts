/** What is used here of a browser's channel; Node's own type has it under another name. */
interface Channel {
  readonly port1: { onmessage: (() => void) | null; readonly close: () => void }
  readonly port2: { readonly postMessage: (message: undefined) => void }
}

/** Lets what waits in the event loop run: clients that leave, keys that are pressed. Kernels that compute at once never do so. */
export const takeTurns = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve)
      return
    }
    // A page has no setImmediate, and its timers wait for some milliseconds, as long as a token takes.
    const { port1, port2 } = new MessageChannel() as unknown as Channel
    port1.onmessage = () => {
      port1.close()
      resolve()
    }
    port2.postMessage(undefined)
  })
