/** The engine, as the page sees it. */
import type { Event, Request } from "../engine/messages.ts"
import engineUrl from "../engine/worker.ts?worker&url"

type Engine = (request: Request) => void

/**
 * A script that imports the engine. A worker whose script lies at an address has the policy that comes with that script, and none where
 * its host sends no headers; one whose script the page has made has the page's.
 */
const underOwnPolicy = (): string => {
  const script = `import ${JSON.stringify(engineUrl)}`
  return URL.createObjectURL(new Blob([script], { type: "text/javascript" }))
}

/**
 * The service worker gives the engine's script with the page's policy. It is asked for it by its address alone: Firefox does not ask it
 * for what a script of the page's own imports, which then needs the network.
 */
const engineScript = (): string =>
  (navigator.serviceWorker as ServiceWorkerContainer | undefined)?.controller ? engineUrl : underOwnPolicy()

/** Starts the engine; `hear` is told of everything that it says. */
export const startEngine = (hear: (event: Event) => void): Engine => {
  const worker = new Worker(engineScript(), { type: "module", name: "speedq" })
  worker.onmessage = ({ data }: MessageEvent<Event>) => hear(data)
  worker.onerror = ({ message }) =>
    hear({ kind: "failed", during: "open", error: { tag: "Error", message: message || "the engine did not start" } })
  return (request) => worker.postMessage(request)
}
