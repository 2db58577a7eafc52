/**
 * A model of InternVL3-1B's shapes in a page: it opens and answers within memory. Of minutes and gigabytes, so only with
 * `SPEEDQ_WEB_1B=1`, which also prints the figures of docs/browser.md. Its weights are random, Linears in 2 bits, embedding and head in 4.
 * Where wllama is installed, it generates beside the page.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Events } from "@speedq/pipeline"
import { makeNativeBackend } from "@speedq/tensors"
import type { ModelConfig } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { Browser, Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { writeRandomModel } from "../../speedq/src/init/writeRandomModel.ts"
import { chromium, inChromium, launch, openContext } from "./support/browser.ts"
import { type Host, host } from "./support/server.ts"
import { twoBits, writeSite } from "./support/site.ts"
import { hasWllama, tokensOfWllama } from "./support/wllama.ts"

const isWanted = process.env["SPEEDQ_WEB_1B"] === "1"
const why = isWanted ? "" : ", skipped: set SPEEDQ_WEB_1B=1"
const picture = new URL("../../../data/nano/images/0001.png", import.meta.url).pathname
const question = "Is there a yellow object?"
/** Tokens of an answer. */
const longest = 48
/** Bytes that the engine may hold while it answers. */
const mostBytes = 0.7e9

describe.skipIf(chromium === undefined || !isWanted)(`a 1B ${inChromium}${why}`, () => {
  let directory: string
  let config: ModelConfig
  let browser: Browser
  let server: Host
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "speedq-web-1b-"))
    const model = join(directory, "model")
    await Effect.runPromise(
      Effect.provide(writeRandomModel("internvl3-1b", { seed: 0, directory: model }), Events.layer)
    )
    const backend = await makeNativeBackend({ threads: 2 })
    const { source, release } = await writeSite(directory, backend, { from: model, name: "1B", choose: twoBits })
    config = source.directory.config
    release()
    await backend.close()
    server = await host(join(directory, "web"), { headers: true })
    browser = await launch()
  }, 1_200_000)
  afterAll(async () => {
    await browser?.close()
    await server?.close()
    rmSync(directory, { recursive: true, force: true })
  })

  const isOpen = (page: Page) => page.locator("#chat").waitFor({ timeout: 300_000 })
  const secondsOf = async (work: () => Promise<unknown>): Promise<string> => {
    const begun = performance.now()
    await work()
    return `${((performance.now() - begun) / 1000).toFixed(1)} s`
  }
  /** Resident memory of the browser's largest page, GiB; undefined where the system does not say. */
  const residentGib = async (): Promise<number | undefined> => {
    const session = await browser.newBrowserCDPSession()
    const { processInfo } = await session.send("SystemInfo.getProcessInfo")
    const sizes = processInfo.flatMap(({ type, id }) => {
      const status = `/proc/${id}/status`
      if (type !== "renderer" || !existsSync(status)) return []
      return [Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(status, "utf8"))?.[1]) / 2 ** 20]
    })
    return sizes.length === 0 ? undefined : Math.max(...sizes)
  }
  const fill = async (page: Page): Promise<void> => {
    await page.locator("#picture-input").setInputFiles(picture)
    await page.locator("#tray details").waitFor()
    await page.locator("#question").fill(question)
  }
  /** What the page says below an answer: tokens, tokens per second, the wait, memory of the engine. */
  const told = async (page: Page): Promise<string> => {
    await page.locator("#reset").click()
    await fill(page)
    await page.locator("#send").click()
    const status = page.locator("#status", { hasText: "of memory" })
    await status.waitFor({ timeout: 300_000 })
    return (await status.textContent()) ?? ""
  }
  const check = (status: string): void => {
    const [, tokens, memory] = /^(\d+) tokens?, .*; (\d+) MB of memory/.exec(status) ?? []
    assert.isAtLeast(Number(tokens), 1, status)
    assert.isBelow(Number(memory) * 1e6, mostBytes, status)
  }

  it("opens and answers within memory, with f32 activations and with int8", { timeout: 1_800_000 }, async () => {
    const page = await (await openContext(browser)).newPage()
    await page.goto(server.url)
    await page.locator("#load").waitFor()
    const first = await secondsOf(async () => {
      await page.locator("#load").click()
      await isOpen(page)
    })
    const again = await secondsOf(async () => {
      await page.reload()
      await isOpen(page)
    })
    await page.locator("#longest").fill(String(longest))
    // Stopped while its prompt is read, the question comes back.
    await fill(page)
    await page.locator("#send").click()
    await page.locator("#status", { hasText: /tile 1 of 1|Reading/ }).waitFor()
    const stopping = await secondsOf(async () => {
      await page.locator("#stop").click()
      await page.locator("#status", { hasText: "no answer yet" }).waitFor()
    })
    assert.strictEqual(await page.locator("#question").inputValue(), question)
    await page.locator("#tray button").click()
    const f32 = await told(page)
    await page.locator("#faster").check()
    const int8 = await told(page)
    const { files } = JSON.parse(readFileSync(join(directory, "web/model/index.json"), "utf8")) as {
      readonly files: readonly { readonly parts: readonly { readonly bytes: number }[] }[]
    }
    const bytes = files.flatMap(({ parts }) => parts).reduce((sum, part) => sum + part.bytes, 0)
    console.log(
      [
        `${(bytes / 2 ** 20).toFixed(0)} MiB in ${files.flatMap(({ parts }) => parts).length} parts, ${browser.version()}`,
        `first load ${first}, opened again ${again}, stopped while the prompt is read after ${stopping}`,
        `f32: ${f32}`,
        `int8: ${int8}`,
        `the page's process: ${(await residentGib())?.toFixed(2) ?? "unknown"} GiB resident at most`
      ].join("\n")
    )
    for (const status of [f32, int8]) check(status)
  })

  const besideWllama = hasWllama ? "" : ", which is not installed: npm install --no-save @wllama/wllama@3.13.0"
  it.skipIf(!hasWllama)(`generates beside wllama${besideWllama}`, { timeout: 1_800_000 }, async () => {
    for (const threads of [2, 1]) {
      const { prompt, answer } = await tokensOfWllama(browser, { config, directory, threads })
      const count = threads === 1 ? "one thread" : `${threads} threads`
      console.log(`wllama, ${count}: ${answer.toFixed(1)} tokens a second, ${prompt.toFixed(1)} of the prompt`)
      assert.isAbove(answer, 0)
    }
  })
})
