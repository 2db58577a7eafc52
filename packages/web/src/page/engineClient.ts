/** The engine, as the page sees it. */
import type { Event, Request } from "../engine/messages.ts"

type Engine = (request: Request) => void

/** Starts the engine; `hear` is told of everything that it says. */
export const startEngine = (hear: (event: Event) => void): Engine => {
  const worker = new Worker(new URL("../engine/worker.ts", import.meta.url), { type: "module", name: "speedq" })
  worker.onmessage = ({ data }: MessageEvent<Event>) => hear(data)
  worker.onerror = ({ message }) =>
    hear({ kind: "failed", during: "open", error: { tag: "Error", message: message || "the engine did not start" } })
  return (request) => worker.postMessage(request)
}
