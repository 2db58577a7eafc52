/** Debian's chromium, driven by playwright. */
import { type Browser, chromium as driver } from "playwright-core"
import { chromium, installCommand } from "../../../pipeline/test/support/chromium.ts"

export { chromium }

/** What a suite says of itself. */
export const inChromium = `in chromium${chromium === undefined ? `, which is not installed: ${installCommand}` : ""}`

export const launch = (options: readonly string[] = []): Promise<Browser> =>
  driver.launch({ executablePath: chromium!, args: ["--no-sandbox", ...options] })
