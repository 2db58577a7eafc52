/**
 * The page in chromium: answers, what it keeps, what can go wrong, what it asks the network for, how it reads.
 * `SPEEDQ_PICTURES=1` also takes the pictures of docs/browser.md.
 */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crc32, deflateSync } from "node:zlib"
import { packedWeights } from "@speedq/exports"
import { openBackend, Random } from "@speedq/tensors"
import { decodeImage, imageTiles, nucleus } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { answerTo } from "../../exports/test/support/ours.ts"
import { axeFile } from "../../pipeline/test/support/chromium.ts"
import { chromium, inChromium, launch, openContext, withSoftwareGraphics } from "./support/browser.ts"
import { cutWeights } from "./support/cutWeights.ts"
import { type Host, host } from "./support/server.ts"
import { type Site, writeSite } from "./support/site.ts"

const root = new URL("../../../", import.meta.url).pathname
const images = join(root, "data/nano/images")
const picture = join(images, "0001.png")
const question = "Is there a yellow object?"
/** One with more than one answer. */
const openQuestion = "Describe the image."

/** The head of a PNG of that size, whose pixels nobody is to read. */
const pngOfSize = (width: number, height: number): Uint8Array => {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.set([8, 2, 0, 0, 0], 8)
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data])
    const whole = Buffer.alloc(body.length + 8)
    whole.writeUInt32BE(data.length, 0)
    whole.set(body, 4)
    whole.writeUInt32BE(crc32(body), body.length + 4)
    return whole
  }
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
  return Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", deflateSync("")), chunk("IEND", Buffer.alloc(0))])
}

/** The value of an expression in the page. */
const value = <T>(page: Page, expression: string): Promise<T> => page.evaluate(expression) as Promise<T>

describe.skipIf(chromium === undefined)(`the page ${inChromium}`, () => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-web-page-"))
  const backend = openBackend("native:none")
  let site: Site
  let browser: Browser
  let expected: string
  let sampled: string
  let hosts: Host[] = []
  let contexts: BrowserContext[] = []

  beforeAll(async () => {
    site = await writeSite(directory, await backend)
    const { source, deployed } = site
    const weights = packedWeights(deployed.packed, deployed.others)
    const tiles = imageTiles(await Effect.runPromise(decodeImage(picture)), source.directory.image)
    const model = { backend: await backend, directory: source.directory, weights }
    expected = await answerTo(model, tiles, question, 256)
    const sampler = nucleus({ temperature: 2, topP: 0.98, random: Random.make(7, "chat") })
    sampled = await answerTo(model, tiles, openQuestion, 256, sampler)
    browser = await launch(["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"])
  })
  afterEach(async () => {
    for (const each of contexts) await each.close()
    for (const each of hosts) await each.close()
    contexts = []
    hosts = []
  })
  afterAll(async () => {
    await browser?.close()
    site?.release()
    await (await backend).close()
    rmSync(directory, { recursive: true, force: true })
  })

  const serve = async (files = site.web, headers = true): Promise<Host> => {
    const opened = await host(files, { headers })
    hosts.push(opened)
    return opened
  }
  const visit = async ({ url }: Host, options: BrowserContextOptions = {}) => {
    const context = await openContext(browser, options)
    contexts.push(context)
    const page = await context.newPage()
    const requests: string[] = []
    context.on("request", (request) => requests.push(request.url()))
    await page.goto(url)
    return { context, page, requests }
  }
  const isOpen = (page: Page) => page.locator("#chat").waitFor()
  const load = async (page: Page) => {
    await page.locator("#load").click()
    await isOpen(page)
  }
  const ask = async (page: Page, text = question, files: string | string[] = picture): Promise<string> => {
    await page.locator("#picture-input").setInputFiles(files)
    await page.locator("#question").fill(text)
    await page.locator("#tray details").first().waitFor()
    await page.locator("#question").press("Enter")
    return answered(page)
  }
  const answered = async (page: Page): Promise<string> => {
    await page.locator("#status", { hasText: "of memory" }).waitFor()
    return (await page.locator("#log article:last-child p").last().textContent()) ?? ""
  }
  const problem = async (page: Page): Promise<string> => {
    await page.locator("#problem").waitFor()
    return `${await page.locator("#problem-words").textContent()} ${await page.locator("#problem-details").textContent()}`
  }
  const threads = async (page: Page) => (await page.locator("#status").textContent()) ?? ""
  /** Names of what the browser keeps for the page. */
  const kept = `navigator.storage.getDirectory().then((all) => all.getDirectoryHandle("speedq")).then(async (kept) => { const names = []; for await (const name of kept.keys()) names.push(name); return names })`
  /** A copy of the page's folder, to be spoilt. */
  const copy = (name: string): string => {
    const own = join(directory, name)
    cpSync(site.web, own, { recursive: true })
    return own
  }

  it("answers from its own folder as Node does, with threads, and asks nobody else", async () => {
    const server = await serve()
    const { page, requests } = await visit(server)
    await load(page)
    assert.isTrue(await value(page, "crossOriginIsolated"))
    assert.match(await threads(page), /^Ready. [2-9] threads/)
    assert.isFalse(await page.locator("#computer").isVisible())
    assert.strictEqual(await ask(page), expected)
    assert.isAbove(requests.length, 10)
    assert.deepStrictEqual(
      requests.filter((url) => !url.startsWith(server.url) && !/^(blob|data):/.test(url)),
      []
    )
    const refusal = await value<string>(page, `fetch("https://example.org/").then(() => "came", String)`)
    assert.match(refusal, /Failed to fetch/)
  })

  it.each([
    ["by its headers", true, "allow"],
    ["by its service worker", false, "allow"],
    ["by the page alone", false, "block"]
  ] as const)("keeps its engine from other origins: %s", async (_, headers, serviceWorkers) => {
    const [server, other] = [await serve(site.web, headers), await serve()]
    const { page } = await visit(server, { serviceWorkers })
    await load(page)
    const refused = await page
      .workers()[0]!
      .evaluate<string>(
        `new Promise((resolve) => { addEventListener("securitypolicyviolation", ({ blockedURI }) => resolve(blockedURI)); fetch("${other.url}", { mode: "no-cors" }).then(() => resolve("came"), () => {}) })`
      )
    assert.isTrue(refused.startsWith(other.url), refused)
    assert.deepStrictEqual(other.asked, [])
  })

  it("opens again without a network, with its server gone", async () => {
    const server = await serve()
    const { context, page } = await visit(server)
    await load(page)
    const before = await ask(page)
    await context.setOffline(true)
    await server.close()
    hosts = []
    await page.reload()
    await isOpen(page)
    assert.strictEqual(await ask(page), before)
  })

  it("runs on one thread where nothing isolates it", async () => {
    const { page } = await visit(await serve(site.web, false), { serviceWorkers: "block" })
    await load(page)
    assert.isFalse(await value(page, "crossOriginIsolated"))
    assert.match(await threads(page), /^Ready. 1 thread,/)
    assert.strictEqual(await ask(page), expected)
  })

  it("isolates itself where its host sends no headers", async () => {
    const { page } = await visit(await serve(site.web, false))
    await load(page)
    assert.isTrue(await value(page, "crossOriginIsolated"))
    assert.match(await threads(page), /^Ready. [2-9] threads/)
    assert.strictEqual(await ask(page), expected)
  })

  it("opens what is chosen before its service worker has come, and waits for it only where threads need it", async () => {
    const server = await serve()
    const come = server.delay("sw.js")
    const { page } = await visit(server)
    await page.locator("#folder-input").setInputFiles(site.packed)
    await isOpen(page)
    come()
    const plain = await serve(site.web, false)
    const comeNow = plain.delay("sw.js")
    const { page: waiting } = await visit(plain)
    await waiting.locator("#progress-text", { hasText: "Preparing the page" }).waitFor()
    await waiting.locator("#folder-input").setInputFiles(site.packed)
    await waiting.keyboard.press("Escape")
    assert.isFalse(await waiting.locator("#cancel-opening").isVisible())
    comeNow()
    await load(waiting)
    assert.match(await threads(waiting), /^Ready. [2-9] threads/)
  })

  it("opens a packed folder that is chosen, keeps it, and forgets it", async () => {
    const empty = copy("no-model")
    rmSync(join(empty, "model"), { recursive: true })
    const { page } = await visit(await serve(empty))
    assert.isFalse(await page.locator("#load").isVisible())
    await page.locator("#folder-input").setInputFiles(site.packed)
    await isOpen(page)
    assert.strictEqual(await page.locator("#model-name").textContent(), "packed")
    assert.strictEqual(await ask(page), expected)
    await page.reload()
    await isOpen(page)
    assert.strictEqual(await ask(page), expected)
    await page.locator("#forget-files").click()
    await page.locator("#choose").waitFor()
    await page.reload()
    await page.locator("#choose").waitFor()
    assert.deepStrictEqual(await value(page, kept), [])
  })

  it("opens files that are dropped on it", async () => {
    const { page } = await visit(await serve())
    await page.locator("#load").waitFor()
    const files = readdirSync(site.packed).map((name) => [name, readFileSync(join(site.packed, name), "base64")])
    await page.evaluate(`(() => {
      const data = new DataTransfer()
      for (const [name, text] of ${JSON.stringify(files)}) {
        data.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], name))
      }
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }))
    })()`)
    await isOpen(page)
    assert.strictEqual(await ask(page), expected)
  })

  it("keeps a model of files beside its own, goes from one to the other, and removes each by itself", async () => {
    const { page } = await visit(await serve())
    await load(page)
    await page.locator("#other-model").click()
    await page.locator("#folder-input").setInputFiles(site.packed)
    await isOpen(page)
    const name = () => page.locator("#model-name").textContent()
    assert.strictEqual(await name(), "packed")
    assert.strictEqual(await page.locator("#forget-files").textContent(), "Remove packed from this device")
    assert.isFalse(await page.locator("#forget-site").isVisible())
    // The one that was open last opens again.
    await page.reload()
    await isOpen(page)
    assert.strictEqual(await name(), "packed")
    await page.locator("#other-model").click()
    assert.strictEqual(await value(page, "document.activeElement.id"), "load")
    await page.locator("#load-kept", { hasText: /^Open packed \([\d.]+ [kM]B\)/ }).waitFor()
    await page.locator("#load", { hasText: /^Open nano \([\d.]+ [kM]B\)/ }).click()
    await isOpen(page)
    assert.strictEqual(await name(), "nano")
    assert.strictEqual(await ask(page), expected)
    await page.locator("#forget-site").click()
    await page.locator("#load-kept").waitFor()
    await page.locator("#forget-site").waitFor({ state: "hidden" })
    await page.locator("#load-kept").click()
    await isOpen(page)
    assert.strictEqual(await ask(page), expected)
    await page.locator("#forget-files").click()
    await page.locator("#load", { hasText: /^Load nano/ }).waitFor()
    assert.isFalse(await page.locator("#load-kept").isVisible())
    assert.deepStrictEqual(await value(page, kept), [])
  })

  it("asks the browser not to throw away what it keeps, and says where it may", async () => {
    const { page } = await visit(await serve())
    await value(page, "StorageManager.prototype.persist = async () => globalThis.isLasting === true, 0")
    await load(page)
    await page.locator("#not-persisted", { hasText: "may remove the model" }).waitFor()
    await value(page, "globalThis.isLasting = true")
    await page.locator("#other-model").click()
    await page.locator("#load").click()
    await isOpen(page)
    assert.isFalse(await page.locator("#not-persisted").isVisible())
  })

  it.each([
    ["has no SIMD", "WebAssembly.validate = () => false", /too old.*BackendUnavailable/, 0],
    [
      "gives no addresses",
      "WebAssembly.Memory = class extends WebAssembly.Memory { constructor(size) { if (size.initial > 999) throw new RangeError(); super(size) } }",
      /no memory to run the model in.*BackendUnavailable/,
      0
    ],
    ["gets no script of threads", undefined, /did not start.*BackendUnavailable/, 1],
    ["has threads that fail", "throw new Error('no thread')", /did not start.*BackendUnavailable/, 1]
  ] as const)("says so where the browser %s", async (name, spoilt, words, at) => {
    const own = copy(name)
    const assets = join(own, "assets")
    const scripts = readdirSync(assets).filter((asset) => asset.startsWith("worker-"))
    // The engine is larger than its threads.
    const bySize = scripts.sort((a, b) => statSync(join(assets, b)).size - statSync(join(assets, a)).size)
    const file = join(assets, bySize[at]!)
    if (spoilt === undefined) rmSync(file)
    else writeFileSync(file, `${spoilt};${readFileSync(file, "utf8")}`)
    const { page } = await visit(await serve(own), { serviceWorkers: "block" })
    await page.locator("#load").click()
    assert.match(await problem(page), words)
  })

  it("goes on with a download that was cut, where it stopped", async () => {
    const server = await serve()
    server.cutAt = "model/tokenizer.json"
    const { page } = await visit(server)
    await page.locator("#load").click()
    const told = await problem(page)
    assert.match(told, /The download ended too early/)
    assert.match(told, /DownloadCut: tokenizer.json: the download ended after \d+ of \d+ bytes/)
    server.cutAt = undefined
    await load(page)
    assert.isFalse(await page.locator("#problem").isVisible())
    const asked = server.asked.filter((path) => path.endsWith("model/model.safetensors"))
    assert.lengthOf(asked, 1)
    assert.strictEqual(await ask(page), expected)
  })

  it("cancels while a model loads, by button and by Escape, and goes on later", async () => {
    const server = await serve()
    server.holdAt = "model/tokenizer.json"
    const { page } = await visit(server)
    const comes = () => page.locator("#progress-text", { hasText: "Loading tokenizer.json" }).waitFor()
    await page.locator("#load").waitFor()
    await page.locator("#load").focus()
    await page.keyboard.press("Enter")
    await comes()
    assert.strictEqual(await value(page, "document.activeElement.id"), "cancel-opening")
    await page.keyboard.press("Enter")
    await page.locator("#load", { hasText: "Go on loading nano" }).waitFor()
    assert.strictEqual(await value(page, "document.activeElement.id"), "load")
    await page.keyboard.press("Enter")
    await comes()
    await page.keyboard.press("Escape")
    await page.locator("#load").waitFor()
    assert.isFalse(await page.locator("#problem").isVisible())
    while (server.left.length < 2) await page.waitForTimeout(20)
    server.holdAt = undefined
    await load(page)
    assert.lengthOf(
      server.asked.filter((path) => path.endsWith("model/model.safetensors")),
      1
    )
    assert.strictEqual(await ask(page), expected)
  })

  it("waits for another page that loads the model no longer than is wanted", async () => {
    const server = await serve()
    server.holdAt = "model/model.safetensors"
    const { context, page } = await visit(server)
    const other = await context.newPage()
    await other.goto(server.url)
    await page.locator("#load").click()
    await page.locator("#progress-text", { hasText: "Loading model.safetensors" }).waitFor()
    await other.locator("#load").click()
    await other.locator("#cancel-opening").click()
    await other.locator("#load").waitFor()
    await page.locator("#cancel-opening").click()
    await page.locator("#load").waitFor()
    server.holdAt = undefined
    await load(other)
    assert.strictEqual(await ask(other), expected)
  })

  it("keeps nothing of files whose opening is canceled, before its turn and when they are read", async () => {
    const { page } = await visit(await serve())
    await page.locator("#load").waitFor()
    const choose = () => page.locator("#folder-input").setInputFiles(site.packed)
    const cancelAt = (moment: string) =>
      page.evaluate(
        `const cancel = () => { document.getElementById("cancel-opening").click(); document.body.dataset.canceled = "${moment}" }; ${
          moment === "first"
            ? `document.getElementById("folder-input").addEventListener("change", cancel, { once: true })`
            : `new MutationObserver((_, self) => {
                if (document.getElementById("progress-bar").value < 1) return
                self.disconnect()
                cancel()
              }).observe(document.getElementById("progress-text"), { childList: true })`
        }`
      )
    for (const moment of ["first", "last"]) {
      await cancelAt(moment)
      await choose()
      await page.locator(`body[data-canceled="${moment}"]`).waitFor()
      await page.locator("#load").waitFor()
      assert.isFalse(await page.locator("#problem").isVisible())
      assert.deepStrictEqual(await value(page, kept), [])
    }
    await choose()
    await isOpen(page)
    assert.strictEqual(await ask(page), expected)
  })

  it("samples as Node does where it is told to, the same answer for the same seed", async () => {
    const { page } = await visit(await serve())
    await load(page)
    assert.isFalse(await page.locator("#seed").isVisible())
    await page.locator("#temperature").fill("2")
    await page.locator("#top-p").fill("0.98")
    await page.locator("#seed").fill("7")
    assert.strictEqual(await ask(page, openQuestion), sampled)
    await page.locator("#reset").click()
    assert.strictEqual(await ask(page, openQuestion), sampled)
    await page.locator("#reset").click()
    await page.locator("#seed").fill("9")
    assert.notStrictEqual(await ask(page, openQuestion), sampled)
    await page.locator("#reset").click()
    await page.locator("#temperature").fill("0")
    assert.isFalse(await page.locator("#seed").isVisible())
    assert.strictEqual(await ask(page), expected)
  })

  it("computes on the graphics processor where that is chosen, by what programs there are, and goes back", async ({
    skip
  }) => {
    const drawn = await launch(withSoftwareGraphics)
    try {
      const context = await openContext(drawn)
      const page = await context.newPage()
      const server = await serve()
      await page.goto(server.url)
      await page.locator("#load").waitFor()
      if (!(await page.locator("#computer").isVisible())) skip("WebGPU has no adapter here, not even SwiftShader")
      assert.strictEqual(await page.locator("#computer").inputValue(), "processor")
      await page.locator("#computer").selectOption("graphics")
      await load(page)
      assert.match(await threads(page), /^Ready. google, swiftshader, /)
      assert.strictEqual(await ask(page), expected)
      // It is remembered, also without a network.
      await context.setOffline(true)
      await page.reload()
      await isOpen(page)
      assert.match(await threads(page), /^Ready. google, swiftshader, /)
      await page.locator("#computer").selectOption("processor")
      await page.locator("#status", { hasText: /^Ready. [2-9] threads/ }).waitFor()
      assert.strictEqual(await page.locator("#log article").count(), 0)
      assert.strictEqual(await ask(page), expected)
    } finally {
      await drawn.close()
    }
  })

  it("says where the graphics processor does not run the model, and loads it on the processor then", async ({
    skip
  }) => {
    const own = copy("no-graphics")
    const assets = join(own, "assets")
    for (const name of readdirSync(assets)) if (name.startsWith("gpu-browser")) rmSync(join(assets, name))
    const drawn = await launch(withSoftwareGraphics)
    try {
      const page = await (await openContext(drawn, { serviceWorkers: "block" })).newPage()
      await page.goto((await serve(own)).url)
      await page.locator("#load").waitFor()
      if (!(await page.locator("#computer").isVisible())) skip("WebGPU has no adapter here, not even SwiftShader")
      await page.locator("#computer").selectOption("graphics")
      await page.locator("#load").click()
      assert.match(
        await problem(page),
        /graphics processor does not run the model.*GraphicsUnavailable.*gpu.js did not/
      )
      await page.locator("#computer").selectOption("processor")
      await load(page)
      assert.strictEqual(await ask(page), expected)
    } finally {
      await drawn.close()
    }
  })

  it("tells of an answer of one token how long it took", async () => {
    const { page } = await visit(await serve())
    await load(page)
    await page.locator("#longest").fill("1")
    await ask(page)
    assert.match(
      (await page.locator("#status").textContent()) ?? "",
      /^1 token after \d+\.\d s; [\d.]+ [kM]B of memory\.$/
    )
  })

  it("opens weights in parts, from its server and as files, and goes on within them", async () => {
    const cut = copy("cut")
    cutWeights(cut, [100_000, 101_000, 250_000])
    const server = await serve(cut)
    server.cutAt = "model.safetensors.002"
    const { page } = await visit(server)
    await page.locator("#load").click()
    assert.match(await problem(page), /DownloadCut: model.safetensors.002/)
    server.cutAt = undefined
    assert.match((await page.locator("#load").textContent()) ?? "", /^Go on loading nano/)
    await load(page)
    assert.lengthOf(
      server.asked.filter((path) => path.endsWith("model.safetensors.000")),
      1
    )
    assert.strictEqual(await ask(page), expected)
    await page.locator("#forget-site").click()
    await page.locator("#choose").waitFor()
    await page.locator("#folder-input").setInputFiles(join(cut, "model"))
    await isOpen(page)
    assert.strictEqual(await ask(page), expected)
  })

  it("tells what is wrong with files that are no model, and with damaged ones", async () => {
    const damaged = copy("damaged")
    const weights = join(damaged, "model/model.safetensors")
    const bytes = readFileSync(weights)
    bytes[bytes.length - 100]! ^= 1
    writeFileSync(weights, bytes)
    const { page } = await visit(await serve(damaged))
    await page.locator("#load").click()
    assert.match(await problem(page), /is damaged, .*PartDamaged: model.safetensors: its SHA-256 is/)

    await page.locator("#files-input").setInputFiles([picture])
    await page.locator("#problem-details", { hasText: "NotAModel" }).waitFor({ state: "attached" })
    assert.match(await problem(page), /not a model that this page can open.*0001.png: there is no config.json/)

    const packed = join(directory, "damaged-packed")
    cpSync(site.packed, packed, { recursive: true })
    writeFileSync(join(packed, "model.safetensors"), bytes)
    await page.locator("#folder-input").setInputFiles(packed)
    await page.locator("#problem-details", { hasText: "PartDamaged" }).waitFor({ state: "attached" })

    writeFileSync(join(packed, "quantization.json"), "{}")
    writeFileSync(join(packed, "model.safetensors"), bytes.subarray(0, 1000))
    await page.locator("#folder-input").setInputFiles(packed)
    await page.locator("#problem-details", { hasText: "SafetensorsInvalid" }).waitFor({ state: "attached" })
    assert.match(await problem(page), /not a model that this page can open/)
  })

  it("says when the browser has no room, and opens without keeping", async () => {
    const server = await serve()
    const { context, page } = await visit(server)
    await page.locator("#load").waitFor()
    const session = await context.newCDPSession(page)
    const origin = server.url.slice(0, -1)
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 900_000 })
    await page.locator("#folder-input").setInputFiles(site.packed)
    assert.match(await problem(page), /StorageFull/)
    assert.deepStrictEqual(await value(page, kept), [])
    await page.locator("#load").click()
    assert.match(await problem(page), /no room to keep the model on this device.*StorageFull: .* MiB are wanted/)
    await page.locator("#without-keeping").click()
    await isOpen(page)
    assert.strictEqual(await ask(page), expected)
  })

  it("refuses what is no picture, and takes several, pasted ones, and those of the camera", async () => {
    const { page } = await visit(await serve())
    await load(page)
    const text = join(directory, "text.png")
    writeFileSync(text, "no picture")
    await page.locator("#picture-input").setInputFiles(text)
    assert.match(await problem(page), /This picture cannot be read.*PictureUnreadable: text.png/)
    await page.evaluate(`(() => {
      const data = new DataTransfer()
      const text = ${JSON.stringify(readFileSync(picture, "base64"))}
      data.items.add(new File([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], "pasted.png", { type: "image/png" }))
      document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }))
    })()`)
    await page.locator("#use-camera").click()
    while ((await value<number>(page, `document.querySelector("#camera-view").videoWidth`)) === 0) {
      await page.waitForTimeout(20)
    }
    await page.locator("#take").click()
    await page.locator("#picture-input").setInputFiles([picture, join(images, "0002.png")])
    await page.locator("#tray li:nth-child(4) details").waitFor()
    assert.strictEqual(await page.locator("#tray li").count(), 4)
    await page.getByRole("button", { name: "Remove camera.png" }).click()
    await page.locator("#question").fill("What differs?")
    await page.locator("#send").click()
    assert.notStrictEqual(await answered(page), "")
    assert.strictEqual(await page.locator("#log article.asked li").count(), 3)
    await page.locator("#question").fill(question)
    await page.locator("#send").click()
    await page.locator("#log article:nth-child(4):last-child").waitFor()
    await page.locator("#reset").click()
    assert.strictEqual(await page.locator("#log article").count(), 0)
    assert.strictEqual(await ask(page), expected)
  })

  const drop = (page: Page, files: readonly (readonly [name: string, text: string, type: string])[]) =>
    page.evaluate(`(() => {
      const data = new DataTransfer()
      for (const [name, text, type] of ${JSON.stringify(files)}) data.items.add(new File([text], name, { type }))
      document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }))
    })()`)

  it("puts a question back that is stopped before its answer begins, and asks it once where Ask is pressed twice", async () => {
    const { page } = await visit(await serve())
    await load(page)
    await page.locator("#picture-input").setInputFiles(picture)
    await page.locator("#question").fill(question)
    await page.locator("#tray details").waitFor()
    await page.evaluate(`for (const id of ["send", "stop"]) document.getElementById(id).click()`)
    await page.locator("#status", { hasText: "no answer yet" }).waitFor()
    assert.strictEqual(await page.locator("#question").inputValue(), question)
    assert.strictEqual(await page.locator("#tray li").count(), 1)
    assert.strictEqual(await page.locator("#log article").count(), 0)
    // Also one that waits for its turn: behind a picture that is no longer wanted.
    await page.locator("#picture-input").setInputFiles(join(images, "0002.png"))
    await page.evaluate(`document.querySelector("#tray li:last-child button").click()`)
    await page.evaluate(`document.getElementById("status").textContent = ""`)
    await page.evaluate(`for (const id of ["send", "stop"]) document.getElementById(id).click()`)
    await page.locator("#status", { hasText: "no answer yet" }).waitFor()
    await page.evaluate(`for (const id of ["send", "send"]) document.getElementById(id).click()`)
    assert.strictEqual(await answered(page), expected)
    assert.strictEqual(await page.locator("#log article").count(), 2)
    assert.strictEqual(await page.locator("#tray li").count(), 0)
  })

  it("puts a question back that is too long, and says so", async () => {
    const { page } = await visit(await serve())
    await load(page)
    const long = "too long, ".repeat(10_000)
    await page.locator("#question").fill(long)
    await page.locator("#question").press("Enter")
    assert.match(await problem(page), /longer than the model can read.*PromptTooLong/)
    assert.strictEqual(await page.locator("#question").inputValue(), long.trim())
    assert.strictEqual(await page.locator("#log article").count(), 0)
    assert.strictEqual(await ask(page), expected)
    assert.isFalse(await page.locator("#problem").isVisible())
  })

  it("loads a model once for two pages that want it at the same time", async () => {
    const server = await serve()
    const { context, page } = await visit(server)
    const other = await context.newPage()
    await other.goto(server.url)
    await Promise.all([page, other].map((each) => each.locator("#load").waitFor()))
    await Promise.all([load(page), load(other)])
    assert.lengthOf(
      server.asked.filter((path) => path.endsWith("model/model.safetensors")),
      1
    )
    assert.deepStrictEqual(await Promise.all([ask(page), ask(other)]), [expected, expected])
  })

  it("takes the model that replaced another on its server, and keeps nothing of the other", async () => {
    const own = copy("replaced")
    const { page } = await visit(await serve(own))
    await load(page)
    const before = await value<string[]>(page, kept)
    cutWeights(own, [100_000])
    await page.reload()
    await page.locator("#load", { hasText: "Go on loading nano" }).waitFor()
    await load(page)
    assert.strictEqual(await ask(page), expected)
    const after = await value<string[]>(page, kept)
    assert.lengthOf(after, before.length + 1)
    assert.lengthOf(
      before.filter((name) => !after.includes(name)),
      1
    )
  })

  it("keeps nothing of a folder that is no model", async () => {
    const { page } = await visit(await serve())
    await page.locator("#load").waitFor()
    const folder = join(directory, "no-tokenizer")
    cpSync(site.packed, folder, { recursive: true })
    for (const name of readdirSync(folder)) if (/token|vocab|merges/.test(name)) rmSync(join(folder, name))
    await page.locator("#folder-input").setInputFiles(folder)
    assert.match(await problem(page), /not a model that this page can open.*TokenizerMissing/)
    assert.deepStrictEqual(await value(page, kept), [])
    await page.reload()
    await page.locator("#load").waitFor()
    assert.isFalse(await page.locator("#problem").isVisible())
  })

  it("removes what is kept of a model that is not open", async () => {
    const server = await serve()
    server.cutAt = "model/tokenizer.json"
    const { page } = await visit(server)
    await page.locator("#load").waitFor()
    assert.isFalse(await page.locator("#forget-site").isVisible())
    await page.locator("#load").click()
    await problem(page)
    await page.locator("#forget-site").click()
    await page.locator("#load", { hasText: /^Load nano/ }).waitFor()
    assert.isFalse(await page.locator("#forget-site").isVisible())
    assert.deepStrictEqual(await value(page, kept), [])
  })

  it("works where the browser keeps nothing for it, and says that there is no camera", async () => {
    const server = await serve()
    const { context, page } = await visit(server, { serviceWorkers: "block" })
    await context.addInitScript(`
      for (const name of ["localStorage", "sessionStorage"]) {
        Object.defineProperty(globalThis, name, { get() { throw new DOMException("no", "SecurityError") } })
      }
      navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("no", "NotAllowedError"))
    `)
    await page.goto(server.url)
    await page.locator("#language").click()
    await page.locator("#load", { hasText: "加载 nano" }).waitFor()
    await page.locator("#language").click()
    await load(page)
    await page.locator("#use-camera").click()
    assert.match(await problem(page), /camera cannot be used.*CameraUnavailable/)
  })

  it("says what it does not take: pictures of too many pixels, files that are none, tokens beyond the limit", async () => {
    const { page } = await visit(await serve())
    await load(page)
    const large = join(directory, "large.png")
    writeFileSync(large, pngOfSize(20_000, 20_000))
    await page.locator("#picture-input").setInputFiles(large)
    assert.match(await problem(page), /too many pixels.*PictureTooLarge: large.png: 20000 x 20000/)
    await drop(page, [["notes.txt", "no picture", "text/plain"]])
    await page.locator("#problem-details", { hasText: "notes.txt: no picture" }).waitFor({ state: "attached" })
    await page.locator("#longest").fill("1000000")
    assert.strictEqual(await ask(page), expected)
    assert.strictEqual(await page.locator("#longest").inputValue(), "4096")
    await page.locator("#longest").fill("")
    await ask(page)
    assert.strictEqual(await page.locator("#longest").inputValue(), "256")
  })

  it("is used by the keyboard alone, and keeps the focus where it was", async () => {
    const { page } = await visit(await serve())
    await page.locator("#load").waitFor()
    await page.locator("#load").focus()
    await page.keyboard.press("Enter")
    await isOpen(page)
    await page.keyboard.type("Hello")
    const focused = () => value<string>(page, "document.activeElement.id")
    for (let at = 0; at < 10 && (await focused()) !== "send"; at++) await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await answered(page)
    assert.strictEqual(await focused(), "question")
  })

  it("leaves what other pages of its origin keep", async () => {
    const both = join(directory, "both")
    for (const name of ["first", "second"]) cpSync(site.web, join(both, name), { recursive: true })
    const worker = join(both, "second", "sw.js")
    const newer = readFileSync(worker, "utf8").replace(/(?<=[`"'} ])[0-9a-f]{16}(?=[`"'])/, "0123456789abcdef")
    assert.include(newer, "0123456789abcdef")
    writeFileSync(worker, newer)
    const server = await serve(both)
    const { context, page } = await visit({ ...server, url: `${server.url}first/` })
    await load(page)
    await page.goto(`${server.url}second/`)
    await page.evaluate("navigator.serviceWorker.ready")
    await context.setOffline(true)
    await page.goto(`${server.url}first/`)
    await isOpen(page)
    assert.strictEqual(await ask(page), expected)
  })

  it("speaks Chinese", async () => {
    const { page } = await visit(await serve(), { locale: "zh-CN" })
    await page.locator("#load").waitFor()
    assert.match((await page.locator("#load").textContent()) ?? "", /^加载 nano/)
    assert.strictEqual(await page.locator("html").getAttribute("lang"), "zh-Hans")
    await page.locator("#language").click()
    assert.match((await page.locator("#load").textContent()) ?? "", /^Load nano/)
    await page.locator("#files-input").setInputFiles([picture])
    assert.match(await problem(page), /^These files are not a model/)
    await page.locator("#language").click()
    assert.match(await problem(page), /^这些文件不是/)
    await load(page)
    assert.match(await threads(page), /^就绪/)
    await page.locator("#language").click()
    assert.match(await threads(page), /^Ready/)
  })

  it("takes no key that belongs to an input method", async () => {
    const { page } = await visit(await serve())
    await load(page)
    await page.locator("#question").fill(question)
    const states = await value<readonly unknown[]>(
      page,
      `(() => {
        const press = (options) => document.getElementById("question").dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...options }))
        const asked = () => document.querySelectorAll("#log article").length
        const state = () => [asked(), document.getElementById("status").textContent === "Stopping"]
        return [{ key: "Enter", keyCode: 229 }, { key: "Enter", isComposing: true }, { key: "Enter" }, { key: "Escape", keyCode: 229 }, { key: "Escape", isComposing: true }, { key: "Escape" }].map((options) => {
          press(options)
          return state()
        })
      })()`
    )
    assert.deepStrictEqual(states, [
      [0, false],
      [0, false],
      [2, false],
      [2, false],
      [2, false],
      [2, true]
    ])
  })

  const axe = readFileSync(axeFile, "utf8")
  const rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
  const check = async (page: Page) => {
    await page.evaluate(axe)
    const found = await value<{ readonly violations: readonly { readonly id: string; readonly nodes: unknown[] }[] }>(
      page,
      `axe.run(document, { runOnly: ${JSON.stringify(rules)} })`
    )
    assert.deepStrictEqual(found.violations, [])
    assert.isAtMost(
      await value<number>(page, "document.documentElement.scrollWidth"),
      await value<number>(page, "innerWidth")
    )
  }

  it.each([
    ["light", 1000],
    ["dark", 1000],
    ["light", 320],
    ["dark", 320]
  ] as const)("is accessible: %s, %i pixels wide", async (colorScheme, width) => {
    const { page } = await visit(await serve(), { colorScheme, viewport: { width, height: 800 } })
    await page.locator("#load").waitFor()
    await check(page)
    await page.locator("#files-input").setInputFiles([picture])
    await problem(page)
    await check(page)
    await load(page)
    assert.strictEqual(await value(page, "document.activeElement.id"), "question")
    await ask(page, question, [picture, join(images, "0002.png")])
    await page.locator("#picture-input").setInputFiles(picture)
    await page.locator("#tray details").waitFor()
    for (const details of await page.locator("details").all()) {
      if (await details.isVisible()) await details.evaluate((element) => element.setAttribute("open", ""))
    }
    await check(page)
  })

  it.runIf(process.env["SPEEDQ_PICTURES"] === "1")("is shown in docs/browser.md", async () => {
    const looks = [
      { name: "desktop", colorScheme: "light", viewport: { width: 1000, height: 720 } },
      { name: "dark", colorScheme: "dark", viewport: { width: 1000, height: 720 } },
      { name: "phone", colorScheme: "light", viewport: { width: 390, height: 780 } }
    ] as const
    for (const { name, colorScheme, viewport } of looks) {
      const options = { colorScheme, viewport, ...(name === "phone" ? { deviceScaleFactor: 2 } : {}) }
      const { page } = await visit(await serve(), options)
      await load(page)
      await ask(page, "Describe the image.", picture)
      await page.locator("#log details summary").first().click()
      await page.screenshot({ path: join(root, `docs/images/browser-${name}.png`), fullPage: true })
    }
  })
})
