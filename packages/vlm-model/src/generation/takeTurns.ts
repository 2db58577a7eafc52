/** Lets what waits in the event loop run: clients that leave, keys that are pressed. Kernels that compute at once never do so. */
export const takeTurns = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
