/** Debian's Firefox, driven by puppeteer-core over WebDriver BiDi: both optional. */
import { existsSync } from "node:fs"
import { delimiter, join } from "node:path"

/** How both come onto a machine. */
const installCommand = "apt-get install firefox-esr && npm install --no-save puppeteer-core@24.43.1"

const firefox = (process.env.PATH ?? "")
  .split(delimiter)
  .map((folder) => join(folder, "firefox-esr"))
  .find((file) => existsSync(file))

const driver = new URL("../../../../node_modules/puppeteer-core/lib/esm/puppeteer/puppeteer-core.js", import.meta.url)

export const hasFirefox = firefox !== undefined && existsSync(driver)

/** What a suite says of itself. */
export const inFirefox = `in firefox${hasFirefox ? "" : `, which is not installed with its driver: ${installCommand}`}`

/** What of the driver is used. */
export interface FirefoxPage {
  readonly goto: (url: string) => Promise<unknown>
  readonly reload: () => Promise<unknown>
  readonly click: (selector: string) => Promise<void>
  readonly type: (selector: string, text: string) => Promise<void>
  readonly evaluate: (expression: string) => Promise<unknown>
  readonly waitForFunction: (expression: string, options: { readonly timeout: number }) => Promise<unknown>
  readonly waitForSelector: (
    selector: string,
    options: { readonly visible: boolean; readonly timeout: number }
  ) => Promise<{ readonly uploadFile: (file: string) => Promise<void> } | null>
}

export interface Firefox {
  readonly newPage: () => Promise<FirefoxPage>
  readonly close: () => Promise<void>
}

export const launchFirefox = async (): Promise<Firefox> => {
  const { default: puppeteer } = await import(driver.href)
  return puppeteer.launch({ browser: "firefox", executablePath: firefox, headless: true })
}
