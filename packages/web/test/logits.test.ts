/** The engine in a page computes what it computes in Node, to the bit: with threads and without, in both builds of the kernels. */
import { copyFileSync, cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { packedWeights } from "@speedq/exports"
import { makeNativeBackend, openBackend } from "@speedq/tensors"
import { decodeImage, imageTiles } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { Browser } from "playwright-core"
import { build } from "vite"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { deploy, openSource } from "../../exports/test/support/models.ts"
import { compute } from "../../exports/test/support/ours.ts"
import { withoutNode } from "../vite.config.ts"
import { chromium, inChromium, launch, openContext, withSoftwareGraphics } from "./support/browser.ts"
import { type Logits, type LogitsRequest, noAdapter } from "./support/logitsMessages.ts"
import { type Host, host } from "./support/server.ts"
import { choices, type Site, writeSite } from "./support/site.ts"

const picture = "0001.png"
const file = new URL(`../../../data/nano/images/${picture}`, import.meta.url).pathname
const question = "Is there a yellow object?"

describe.skipIf(chromium === undefined)(`logits ${inChromium}`, () => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-web-logits-"))
  const served = join(directory, "served")
  const backend = openBackend("native:none")
  let site: Site
  let browser: Browser
  let hosts: readonly [isolated: Host, plain: Host]
  beforeAll(async () => {
    site = await writeSite(directory, await backend)
    await build({
      configFile: false,
      logLevel: "error",
      base: "./",
      plugins: [withoutNode()],
      resolve: { conditions: ["@speedq/source", "browser"] },
      worker: { format: "es", plugins: () => [withoutNode()] },
      build: {
        outDir: served,
        target: "es2022",
        // GPU.js reads kernels as the text that they are written in.
        minify: false,
        assetsInlineLimit: 0,
        rollupOptions: {
          checks: { pluginTimings: false },
          input: { logits: new URL("./support/logitsWorker.ts", import.meta.url).pathname },
          output: { entryFileNames: "[name].js" }
        }
      }
    })
    cpSync(site.packed, join(served, "model"), { recursive: true })
    copyFileSync(file, join(served, picture))
    writeFileSync(join(served, "index.html"), "<!doctype html><title>logits</title>")
    hosts = [await host(served, { headers: true }), await host(served, { headers: false })]
    browser = await launch(withSoftwareGraphics)
  })
  afterAll(async () => {
    await browser?.close()
    for (const each of hosts ?? []) await each.close()
    site?.release()
    await (await backend).close()
    rmSync(directory, { recursive: true, force: true })
  })

  const inPage = async ({ url }: Host, request: LogitsRequest): Promise<Logits> => {
    const page = await (await openContext(browser)).newPage()
    await page.goto(url)
    const found = await page.evaluate(
      (asked) =>
        new Promise<unknown>((resolve) => {
          const scope = globalThis as unknown as { readonly Worker: new (url: string, options: object) => LogitsWorker }
          const worker = new scope.Worker("/logits.js", { type: "module" })
          worker.onmessage = ({ data }) => resolve(data)
          worker.onerror = ({ message }) => resolve(message)
          worker.postMessage(asked)
        }),
      request
    )
    await page.context().close()
    if (typeof found === "string" || found === undefined) assert.fail(String(found))
    return found as Logits
  }

  const inNode = async (simd: "relaxed" | "plain"): Promise<Logits> => {
    const own = await makeNativeBackend({ threads: 1, simd, blas: "none" })
    const source = await openSource(own)
    const deployed = await deploy(source, choices(source.directory.config), "bf16")
    const tiles = imageTiles(await Effect.runPromise(decodeImage(file)), source.directory.image)
    const weights = packedWeights(deployed.packed, deployed.others)
    const { logits } = await compute({ backend: own, directory: source.directory, weights }, tiles, question)
    await own.close()
    return { tiles: [...tiles.data], logits: [...logits], name: own.name }
  }

  it.each([
    ["relaxed", 2],
    ["relaxed", 1],
    ["plain", 2],
    ["plain", 1]
  ] as const)("are those of Node with %s SIMD on %i threads", async (simd, threads) => {
    const names = readdirSync(site.packed)
    const where = hosts[threads === 1 ? 1 : 0]
    const [ours, theirs] = [await inNode(simd), await inPage(where, { names, picture, question, threads, simd })]
    assert.include(theirs.name, simd)
    assert.include(theirs.name, `${threads} thread`)
    assert.deepStrictEqual(theirs.tiles, ours.tiles)
    assert.isAbove(ours.logits.length, 1000)
    assert.deepStrictEqual(theirs.logits, ours.logits)
  })

  it("are those of Node but for the order of sums by WebGPU, where the browser has an adapter", async ({ skip }) => {
    const names = readdirSync(site.packed)
    const request = { names, picture, question, threads: 1, simd: "relaxed" } as const
    const theirs = await inPage(hosts[0], { ...request, graphics: true })
    if (theirs.name === noAdapter) skip("WebGPU has no adapter here, not even SwiftShader")
    const ours = await inNode("relaxed")
    assert.match(theirs.name, /^gpujs:webgpu/)
    assert.deepStrictEqual(theirs.tiles, ours.tiles)
    for (const [at, value] of ours.logits.entries()) assert.closeTo(theirs.logits[at]!, value, 1e-3, `logit ${at}`)
  })
})

/** A worker of a page, as far as it is used here. */
interface LogitsWorker {
  onmessage: (event: { readonly data: unknown }) => void
  onerror: (event: { readonly message: string }) => void
  readonly postMessage: (message: unknown) => void
}
