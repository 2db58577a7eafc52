/** The service worker: the page opens without a network, and threads can share memory also where the server does not say so. */

const key = "speedq-reloaded"

/** Whether the page is about to be loaded again through its service worker. */
export const goOffline = async (): Promise<boolean> => {
  if (!("serviceWorker" in navigator)) return false
  try {
    await navigator.serviceWorker.register("./sw.js")
  } catch {
    // A browser that keeps nothing: the page works, with a network and one thread.
    return false
  }
  const isHeld = crossOriginIsolated || sessionStorage.getItem(key) !== null
  if (isHeld) return false
  await navigator.serviceWorker.ready
  sessionStorage.setItem(key, "once")
  location.reload()
  return true
}
