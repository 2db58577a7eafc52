/**
 * Keeps the page itself, so that it opens without a network, and gives what comes through it the headers that a static host may not
 * give. The model is kept by the engine.
 */
import { pageHeaders } from "../headers.ts"

/** The part of a service worker's scope that is used here. */
interface ServiceWorkerScope {
  readonly registration: { readonly scope: string }
  readonly clients: { readonly claim: () => Promise<void> }
  readonly skipWaiting: () => Promise<void>
  readonly addEventListener: (name: string, listener: (event: never) => void) => void
}
interface Lasting {
  readonly waitUntil: (work: Promise<unknown>) => void
}
interface Fetching {
  readonly request: Request
  readonly respondWith: (response: Promise<Response>) => void
}

const scope = self as unknown as ServiceWorkerScope

// The build fills these in.
const files = "%FILES%" as unknown as readonly string[]
const cacheName = "speedq-page-%VERSION%"

const folder = scope.registration.scope

const withHeaders = (response: Response): Response => {
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(pageHeaders)) headers.set(name, value)
  const { status, statusText } = response
  return new Response(response.body, { status, statusText, headers })
}

/** The file of the page that a request means; undefined for any other. */
const pageFile = ({ url }: Request): string | undefined => {
  const { origin, pathname } = new URL(url)
  const path = origin + pathname
  if (!path.startsWith(folder)) return undefined
  const name = path.slice(folder.length)
  return name === "" ? "index.html" : files.includes(name) ? name : undefined
}

const answer = async (request: Request): Promise<Response> => {
  const name = pageFile(request)
  const kept = name === undefined ? undefined : await (await caches.open(cacheName)).match(folder + name)
  return withHeaders(kept ?? (await fetch(request)))
}

/** The files of this version, past what the browser's own cache holds of another. */
const fill = async (): Promise<void> => {
  const cache = await caches.open(cacheName)
  await cache.addAll(files.map((name) => new Request(folder + name, { cache: "reload" })))
  await scope.skipWaiting()
}

const dropOthers = async (): Promise<void> => {
  for (const name of await caches.keys()) {
    if (name.startsWith("speedq-page-") && name !== cacheName) await caches.delete(name)
  }
  await scope.clients.claim()
}

scope.addEventListener("install", (event: Lasting) => event.waitUntil(fill()))
scope.addEventListener("activate", (event: Lasting) => event.waitUntil(dropOthers()))
scope.addEventListener("fetch", (event: Fetching) => {
  const { request } = event
  if (request.method === "GET" && request.url.startsWith(folder)) event.respondWith(answer(request))
})
