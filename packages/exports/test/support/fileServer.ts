/** Serves directories to pages of a browser on this machine. */
import { createReadStream, existsSync, statSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { extname, join } from "node:path"

const types: { readonly [extension: string]: string } = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".json": "application/json",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm"
}

/** `http://localhost:PORT/NAME/...` is the file of the directory called NAME; everything else is an empty page. */
export const serve = async (
  directories: Readonly<Record<string, string>>
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> => {
  const server = createServer((request, response) => {
    const [, name = "", ...rest] = decodeURIComponent(request.url ?? "/")
      .split("?", 1)[0]!
      .split("/")
    const directory = directories[name]
    if (directory === undefined) {
      response
        .writeHead(name === "" ? 200 : 404, { "content-type": "text/html" })
        .end("<!doctype html><title>page</title>")
      return
    }
    const file = join(directory, ...rest)
    if (!existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end()
      return
    }
    const type = types[extname(file)] ?? "application/octet-stream"
    response.writeHead(200, { "content-type": type, "content-length": statSync(file).size })
    createReadStream(file).pipe(response)
  })
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://localhost:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}
