/** Debian's chromium, driven by playwright. */
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium as driver } from "playwright-core"
import { chromium, installCommand } from "../../../pipeline/test/support/chromium.ts"

export { chromium }

/** What a suite says of itself. */
export const inChromium = `in chromium${chromium === undefined ? `, which is not installed: ${installCommand}` : ""}`

/** WebGPU on SwiftShader, which is a program in place of a GPU. */
export const withSoftwareGraphics = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]

export const launch = (options: readonly string[] = []): Promise<Browser> =>
  driver.launch({ executablePath: chromium!, args: ["--no-sandbox", ...options] })

/** What a page waits for comes in seconds; only a test that hangs waits for as long. */
const longestWaitMs = 120_000

/** A context of its own, of a reader of English. */
export const openContext = async (browser: Browser, options: BrowserContextOptions = {}): Promise<BrowserContext> => {
  const context = await browser.newContext({ locale: "en-US", ...options })
  context.setDefaultTimeout(longestWaitMs)
  return context
}
