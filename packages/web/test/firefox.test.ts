/** The page in Firefox: it answers as Node does, keeps the model, and needs neither network nor headers after the first visit. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { packedWeights } from "@speedq/exports"
import { openBackend } from "@speedq/tensors"
import { decodeImage, imageTiles } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { answerTo } from "../../exports/test/support/ours.ts"
import { type Firefox, type FirefoxPage, hasFirefox, inFirefox, launchFirefox } from "./support/firefox.ts"
import { host } from "./support/server.ts"
import { type Site, writeSite } from "./support/site.ts"

const picture = new URL("../../../data/nano/images/0001.png", import.meta.url).pathname
const question = "Describe the image."

describe.skipIf(!hasFirefox)(`the page ${inFirefox}`, () => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-web-firefox-"))
  const backend = openBackend("native:none")
  let site: Site
  let browser: Firefox
  let expected: string
  beforeAll(async () => {
    site = await writeSite(directory, await backend)
    const { source, deployed } = site
    const tiles = imageTiles(await Effect.runPromise(decodeImage(picture)), source.directory.image)
    const weights = packedWeights(deployed.packed, deployed.others)
    expected = await answerTo({ backend: await backend, directory: source.directory, weights }, tiles, question, 256)
    browser = await launchFirefox()
  })
  afterAll(async () => {
    await browser?.close()
    site?.release()
    await (await backend).close()
    rmSync(directory, { recursive: true, force: true })
  })

  const seen = (page: FirefoxPage, selector: string) =>
    page.waitForSelector(selector, { visible: true, timeout: 30_000 })
  const ask = async (page: FirefoxPage): Promise<unknown> => {
    const input = await page.waitForSelector("#picture-input", { visible: false, timeout: 30_000 })
    await input!.uploadFile(picture)
    await seen(page, "#tray details")
    await page.type("#question", question)
    await page.click("#send")
    const said = 'document.querySelector("#status").textContent.includes("of memory")'
    await page.waitForFunction(said, { timeout: 60_000 })
    return page.evaluate('[...document.querySelectorAll("#log article:last-child p")].at(-1).textContent')
  }

  it.each([true, false])(
    "answers as Node does with threads, and without a network afterwards (headers of the host: %s)",
    async (headers) => {
      const server = await host(site.web, { headers })
      const page = await browser.newPage()
      await page.goto(server.url)
      await seen(page, "#load")
      await page.waitForFunction("crossOriginIsolated", { timeout: 30_000 })
      await seen(page, "#load")
      await page.click("#load")
      await seen(page, "#chat")
      assert.match(String(await page.evaluate('document.querySelector("#status").textContent')), /[2-9] threads/)
      assert.strictEqual(await ask(page), expected)
      await page.waitForFunction("navigator.serviceWorker.controller !== null", { timeout: 30_000 })
      await server.close()
      await page.reload()
      await seen(page, "#chat")
      assert.strictEqual(await ask(page), expected)
    }
  )
})
