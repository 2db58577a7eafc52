/** The service worker: the page opens without a network, and threads can share memory also where the server does not say so. */

const key = "speedq-reloaded"

/** Whether a service worker takes up its work: one that cannot keep all files of the page does not. */
const isActivated = ({ installing, waiting, active }: ServiceWorkerRegistration): Promise<boolean> =>
  new Promise((resolve) => {
    const worker = installing ?? waiting ?? active
    const look = () => {
      if (worker?.state === "activated") resolve(true)
      else if (worker === null || worker?.state === "redundant") resolve(false)
    }
    worker?.addEventListener("statechange", look)
    look()
  })

/** Where nothing can be kept, the page is not loaded again: it would be for ever. */
const hasReloaded = (): boolean => {
  try {
    return sessionStorage.getItem(key) !== null
  } catch {
    return true
  }
}

const register = async (): Promise<ServiceWorkerRegistration | undefined> => {
  try {
    return await navigator.serviceWorker.register("./sw.js")
  } catch {
    // A browser that keeps nothing: the page works, with a network and one thread.
    return undefined
  }
}

/**
 * Whether the page is about to be loaded again through its service worker. A page that is isolated, or was loaded again before, does
 * not wait for its service worker.
 */
export const goOffline = async (): Promise<boolean> => {
  if (!("serviceWorker" in navigator)) return false
  const registering = register()
  if (crossOriginIsolated || hasReloaded()) return false
  const registration = await registering
  if (registration === undefined || !(await isActivated(registration))) return false
  sessionStorage.setItem(key, "once")
  location.reload()
  return true
}
