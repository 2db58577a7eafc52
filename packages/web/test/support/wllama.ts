/**
 * wllama beside the page: llama.cpp in WebAssembly, on a language model of the same shapes with random weights in Q4_0, isolated as the
 * page is. An optional package: `npm install --no-save @wllama/wllama@3.13.0`.
 */
import { readFileSync, statSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import type { ModelConfig } from "@speedq/vlm-model"
import type { Browser } from "playwright-core"
import { writeLlamaModel } from "../../../../bench/llamaModel.ts"
import { mediaType } from "../../src/index.ts"
import { openContext } from "./browser.ts"

const installed = new URL("../../../../node_modules/@wllama/wllama/esm/", import.meta.url).pathname

export const hasWllama = statSync(join(installed, "index.js"), { throwIfNoEntry: false }) !== undefined

const page = `<!doctype html><title>wllama</title><script type="module">
  import { Wllama } from "/esm/index.js"
  const silent = { debug() {}, log() {}, warn() {}, error: console.error }
  const wllama = new Wllama({ default: "/esm/wasm/wllama.wasm" }, { logger: silent })
  window.generate = async (threads, prompt, tokens) => {
    const model = await (await fetch("/model.gguf")).blob()
    await wllama.loadModel([model], { n_ctx: 1024, n_threads: threads, n_gpu_layers: 0 })
    const options = { prompt: "!".repeat(prompt), max_tokens: tokens, temperature: 0, ignore_eos: true }
    const { timings } = await wllama.createCompletion(options)
    return timings
  }
</script>`

const isolated = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" }

const serve = async (model: string) => {
  const server = createServer(({ url = "/" }, response) => {
    const path = url.split("?", 1)[0]!
    if (path === "/") return response.writeHead(200, { ...isolated, "content-type": "text/html" }).end(page)
    const file = path === "/model.gguf" ? model : join(installed, path.replace(/^\/esm\//, ""))
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) return response.writeHead(404).end()
    return response.writeHead(200, { ...isolated, "content-type": mediaType(file) }).end(readFileSync(file))
  })
  await new Promise<void>((resolve) => server.listen(0, "localhost", resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://localhost:${port}/`, close: () => server.close() }
}

interface Timings {
  readonly prompt_per_second: number
  readonly predicted_per_second: number
}

/** Tokens a second of an answer to a prompt of so many tokens. `directory` takes the model. */
export const tokensOfWllama = async (
  browser: Browser,
  { config, directory, threads }: { readonly config: ModelConfig; readonly directory: string; readonly threads: number }
): Promise<{ readonly prompt: number; readonly answer: number }> => {
  const model = join(directory, "model.gguf")
  await writeLlamaModel(model, config)
  const server = await serve(model)
  const context = await openContext(browser)
  try {
    const tab = await context.newPage()
    await tab.goto(server.url)
    await tab.waitForFunction("window.generate !== undefined")
    const timings = (await tab.evaluate(`generate(${threads}, 280, 16)`)) as Timings
    return { prompt: timings.prompt_per_second, answer: timings.predicted_per_second }
  } finally {
    await context.close()
    server.close()
  }
}
