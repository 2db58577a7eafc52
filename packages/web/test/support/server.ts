/** A host of static files on this machine, with or without the headers of the page, that can lose the end of a file. */
import { readFileSync, statSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { mediaType, pageHeaders } from "../../src/index.ts"

export interface Host {
  readonly url: string
  /** Paths that were asked for. */
  readonly asked: string[]
  /** Ends the connection in the middle of files whose path ends so. */
  cutAt: string | undefined
  /** Sends half of files whose path ends so, and then nothing until the client leaves. */
  holdAt: string | undefined
  /** Answers nothing to files whose path ends so, until it is called. */
  readonly delay: (path: string) => () => void
  /** Paths of answers that the client has left before their end. */
  readonly left: string[]
  readonly close: () => Promise<void>
}

export const host = async (directory: string, { headers }: { readonly headers: boolean }): Promise<Host> => {
  const [asked, left]: [string[], string[]] = [[], []]
  let delayed: { readonly path: string; readonly until: Promise<void> } | undefined
  const server = createServer(async (request, response) => {
    const path = decodeURIComponent(request.url ?? "/").split("?", 1)[0]!
    asked.push(path)
    if (delayed !== undefined && path.endsWith(delayed.path)) await delayed.until
    const file = join(directory, path.endsWith("/") ? `${path}index.html` : path)
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) {
      response.writeHead(404).end()
      return
    }
    const bytes = readFileSync(file)
    response.writeHead(200, {
      ...(headers ? pageHeaders : {}),
      "content-type": mediaType(file),
      "content-length": bytes.length,
      "cache-control": "no-store"
    })
    if (self.cutAt !== undefined && path.endsWith(self.cutAt)) {
      response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy())
    } else if (self.holdAt !== undefined && path.endsWith(self.holdAt)) {
      response.on("close", () => left.push(path))
      response.write(bytes.subarray(0, bytes.length >> 1))
    } else response.end(bytes)
  })
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve))
  const { port } = server.address() as AddressInfo
  const self: Host = {
    url: `http://localhost:${port}/`,
    asked,
    left,
    cutAt: undefined,
    holdAt: undefined,
    delay: (path) => {
      let go = () => {}
      delayed = { path, until: new Promise((resolve) => (go = resolve)) }
      return go
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
  return self
}
