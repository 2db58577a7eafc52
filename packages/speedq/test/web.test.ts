/** `speedq export --format web` and `speedq serve` of it: the page answers as `speedq chat` does, and stops when it is told to. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { openBackend } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { Browser, Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { chromium, inChromium, launch, openContext } from "../../web/test/support/browser.ts"
import { twoBits, writeSite } from "../../web/test/support/site.ts"
import type { Answered } from "../src/models/ask.ts"
import { serveModel } from "../src/serve/serveModel.ts"
import { shippedNano } from "../src/shipped/shipped.ts"
import { fails, json } from "./support/inProcess.ts"
import { randomNano } from "./support/smallRun.ts"

const native = ["--backend", "native:none"]
const file = join(shippedNano, "images", "0001.png")
const question = "Is there a yellow object?"

const directory = mkdtempSync(join(tmpdir(), "speedq-web-"))
const [packed, web] = [join(directory, "packed"), join(directory, "site")]
const scope = Scope.makeUnsafe()
let address = ""

beforeAll(async () => {
  const backend = await openBackend("native:none")
  const { release } = await writeSite(directory, backend)
  release()
  await backend.close()
  const exported = (await json(["export", packed, "--format", "web", "--out", web, ...native])) as {
    readonly exact: boolean
    readonly format: string
  }
  assert.deepInclude(exported, { exact: true, format: "web" })
  let tell = (_: string): void => {}
  const told = new Promise<string>((resolve) => {
    tell = resolve
  })
  const limits = { port: 0, maxNewTokens: 12, maxTiles: undefined, maxPixels: undefined, verify: true }
  const serving = serveModel({ ...limits, model: web, arithmetic: "f32", activations: "f32" }, "native:none", (text) =>
    Effect.sync(() => tell(text))
  )
  Effect.runFork(Effect.forkIn(serving.pipe(Effect.provide(NodeServices.layer)), scope))
  const text = await told
  assert.match(text, /^site on native .* its page is at http:\/\/localhost:\d+\//)
  address = /http:\/\/localhost:\d+\//.exec(text)![0]
})
afterAll(async () => {
  await Effect.runPromise(Scope.close(scope, Exit.void))
  rmSync(directory, { recursive: true, force: true })
})

const chat = async (): Promise<string> =>
  ((await json(["chat", packed, question, "--image", file, ...native])) as Answered).answer

describe("a served page", () => {
  it("comes with headers that isolate it, and nothing beside it does", async () => {
    const page = await fetch(address)
    assert.strictEqual(page.status, 200)
    assert.strictEqual(page.headers.get("content-type"), "text/html; charset=utf-8")
    assert.strictEqual(page.headers.get("cross-origin-opener-policy"), "same-origin")
    assert.strictEqual(page.headers.get("cross-origin-embedder-policy"), "require-corp")
    assert.match(page.headers.get("content-security-policy")!, /^default-src 'none'; script-src 'self'/)
    const script = /src="\.\/(assets\/[^"]+)"/.exec(await page.text())![1]
    assert.match((await fetch(address + script)).headers.get("content-type")!, /^text\/javascript/)
    const index = (await (await fetch(`${address}model/index.json`)).json()) as { readonly files: readonly unknown[] }
    assert.isAbove(index.files.length, 3)
    for (const path of ["..%2fpacked/config.json", "model/../../packed/config.json", "missing.js"]) {
      assert.strictEqual((await fetch(address + path)).status, 404)
    }
  })

  it("stands beside the API, which answers with the same model", async () => {
    const messages = [{ role: "user", content: "Hello" }]
    const response = await fetch(`${address}v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ messages })
    })
    const { choices } = (await response.json()) as {
      readonly choices: readonly [{ readonly message: { readonly content: string } }]
    }
    const { answer } = (await json(["chat", packed, "Hello", "--max-new-tokens", "12", ...native])) as Answered
    assert.strictEqual(choices[0].message.content, answer)
  })

  it("is not exported over what is there", async () => {
    assert.isTrue(existsSync(join(web, "model", "index.json")))
    const failure = await fails(["export", packed, "--format", "web", "--out", web, ...native])
    assert.include(failure.message, web)
  })
})

describe.skipIf(chromium === undefined)(`the served page ${inChromium}`, () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  const ask = async (page: Page, text: string): Promise<void> => {
    await page.locator("#question").fill(text)
    await page.locator("#send").click()
  }

  it("answers as the command does", async () => {
    const page = await (await openContext(browser)).newPage()
    await page.goto(address)
    await page.locator("#load").click()
    await page.locator("#chat").waitFor()
    await page.locator("#picture-input").setInputFiles(file)
    await page.locator("#tray details").waitFor()
    await ask(page, question)
    await page.locator("#status", { hasText: "of memory" }).waitFor()
    assert.strictEqual(await page.locator("#log article:last-child p").last().textContent(), await chat())
    await page.context().close()
  })

  it("answers with int8 activations as the command does, where that is chosen", async () => {
    // Of two bits: where answers are less sure, what a token is rounded to shows.
    const backend = await openBackend("native:none")
    const { packed: codes, release } = await writeSite(join(directory, "rough"), backend, { choose: twoBits })
    const [shown, asked] = [join(shippedNano, "images", "0000.png"), "Describe the image."]
    release()
    await backend.close()
    const page = await (await openContext(browser)).newPage()
    await page.goto(address)
    await page.locator("#load").waitFor()
    await page.locator("#folder-input").setInputFiles(codes)
    await page.locator("#chat").waitFor()
    const answerWith = async (activations: "f32" | "int8"): Promise<string> => {
      await page.locator("#reset").click()
      await page.locator("#faster").setChecked(activations === "int8")
      await page.locator("#picture-input").setInputFiles(shown)
      await page.locator("#tray details").waitFor()
      await ask(page, asked)
      await page.locator("#status", { hasText: "per second" }).waitFor()
      const flags = ["--image", shown, "--activations", activations, ...native]
      const { answer } = (await json(["chat", codes, asked, ...flags])) as Answered
      assert.strictEqual(await page.locator("#log article:last-child p").last().textContent(), answer)
      return answer
    }
    assert.isFalse(await page.locator("#faster").isChecked())
    assert.notStrictEqual(await answerWith("f32"), await answerWith("int8"))
    await page.context().close()
  })

  it("opens a model that is not quantized, and stops its answer when it is told to", async () => {
    const model = await randomNano(directory)
    const page = await (await openContext(browser)).newPage()
    await page.goto(address)
    await page.locator("#load").waitFor()
    await page.locator("#folder-input").setInputFiles(model)
    await page.locator("#chat").waitFor()
    assert.isFalse(await page.locator("#faster").isVisible())
    await page.locator("#longest").fill("4096")
    await ask(page, "Go on")
    await page.locator("#log article:last-child p:not(:empty)").waitFor()
    await page.keyboard.press("Escape")
    await page.locator("#status", { hasText: "per second" }).waitFor()
    const [, tokens] = /^(\d+) tokens/.exec((await page.locator("#status").textContent()) ?? "") ?? []
    assert.isAbove(Number(tokens), 0)
    assert.isBelow(Number(tokens), 4096)
    // What was stopped stands, and the next question is answered.
    await page.locator("#longest").fill("3")
    await ask(page, "And now?")
    await page.locator("#status", { hasText: /^3 tokens/ }).waitFor()
    assert.strictEqual(await page.locator("#log article").count(), 4)
    await page.context().close()
  })
})
