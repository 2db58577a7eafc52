/** Debian's chromium, driven by playwright. */
import { type Browser, chromium as driver } from "playwright-core"
import { chromium, installCommand } from "../../../pipeline/test/support/chromium.ts"

export { chromium }

/** What a suite says of itself. */
export const inChromium = `in chromium${chromium === undefined ? `, which is not installed: ${installCommand}` : ""}`

/** WebGPU on SwiftShader, which is a program in place of a GPU. */
export const withSoftwareGraphics = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]

export const launch = (options: readonly string[] = []): Promise<Browser> =>
  driver.launch({ executablePath: chromium!, args: ["--no-sandbox", ...options] })
