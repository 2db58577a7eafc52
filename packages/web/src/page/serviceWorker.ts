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
const folder = scope.registration.scope

// Pages of one origin keep what they have apart.
const prefix = `speedq-page-${folder} `
const cacheName = `${prefix}%VERSION%`

const withHeaders = (response: Response): Response => {
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(pageHeaders)) headers.set(name, value)
  const { status, statusText } = response
  return new Response(response.body, { status, statusText, headers })
}

/** The file of the page that a request means. */
const fileOf = ({ url }: Request): string => {
  const { origin, pathname } = new URL(url)
  return origin + pathname === folder ? `${folder}index.html` : origin + pathname
}

const ownCaches = async (): Promise<readonly string[]> =>
  (await caches.keys()).filter((name) => name.startsWith(prefix))

/** The file as it was kept: of this version, else of the one before, which a page that is open may still be. */
const keptFile = async (file: string): Promise<Response | undefined> => {
  for (const name of [cacheName, ...(await ownCaches())]) {
    const kept = await (await caches.open(name)).match(file)
    if (kept !== undefined) return kept
  }
  return undefined
}

const answer = async (request: Request): Promise<Response> =>
  withHeaders((await keptFile(fileOf(request))) ?? (await fetch(request)))

/** The files of this version, past what the browser's own cache holds of another. */
const fill = async (): Promise<void> => {
  const cache = await caches.open(cacheName)
  await cache.addAll(files.map((name) => new Request(folder + name, { cache: "reload" })))
  await scope.skipWaiting()
}

/** Drops all versions but this one and the one before; names come in the order in which they were opened. */
const dropOthers = async (): Promise<void> => {
  const others = (await ownCaches()).filter((name) => name !== cacheName)
  for (const name of others.slice(0, -1)) await caches.delete(name)
  await scope.clients.claim()
}

scope.addEventListener("install", (event: Lasting) => event.waitUntil(fill()))
scope.addEventListener("activate", (event: Lasting) => event.waitUntil(dropOthers()))
scope.addEventListener("fetch", (event: Fetching) => {
  const { request } = event
  if (request.method === "GET" && request.url.startsWith(folder)) event.respondWith(answer(request))
})
