/** Pages in Debian's chromium, without a library: a frame of a width holds the page, whose findings come back in the frame's text. */
import { execFile } from "node:child_process"
import { existsSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { delimiter, join } from "node:path"
import { promisify } from "node:util"

/** How chromium comes onto a machine. */
export const installCommand = "apt-get install chromium"

/** The browser on this machine; undefined without one. */
export const chromium = (process.env.PATH ?? "")
  .split(delimiter)
  .flatMap((folder) => ["chromium", "chromium-browser"].map((name) => join(folder, name)))
  .find((file) => existsSync(file))

export interface Look {
  /** Width of the page in pixels of CSS. */
  readonly width: number
  readonly scheme: "light" | "dark"
}

/** Options of a browser that stays. */
export const lasting = ({ width, scheme }: Look, height: number): ReadonlyArray<string> => [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--hide-scrollbars",
  "--no-first-run",
  "--disable-extensions",
  "--disable-background-networking",
  `--blink-settings=preferredColorScheme=${scheme === "dark" ? 0 : 1}`,
  // A window is never narrower than 500 pixels; the frame in it is.
  `--window-size=${Math.max(500, width)},${height}`
]
const options = (look: Look, height: number): ReadonlyArray<string> => [
  ...lasting(look, height),
  "--virtual-time-budget=20000"
]

/** Runs chromium; it says much on standard error that is of no interest. */
const run = async (args: ReadonlyArray<string>, profile: string): Promise<string> => {
  const { stdout } = await promisify(execFile)(chromium!, [...args, `--user-data-dir=${profile}`], {
    maxBuffer: 2 ** 26,
    timeout: 120_000
  })
  return stdout
}

const frameOf = (page: string, { width }: Look, height: number): string =>
  `<!doctype html><meta charset="utf-8"><title>frame</title><body style="margin:0"><iframe src="${page}" style="border:0;display:block;width:${width}px;height:${height}px"></iframe>`

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js")

/** What the page says of itself: rules of axe that it breaks, how wide it is, its smallest letters, and errors of its script. */
export interface Findings {
  readonly violations: ReadonlyArray<{
    readonly id: string
    readonly help: string
    readonly nodes: ReadonlyArray<string>
  }>
  readonly passes: ReadonlyArray<string>
  readonly scrollWidth: number
  readonly smallestLetters: number
  readonly errors: ReadonlyArray<string>
  /** What a chart says where the pointer is over the middle of it. */
  readonly tip: string
  /** Questions of the samples that are left when those that got worse are chosen. */
  readonly chosen: ReadonlyArray<string>
}

const examining = `
const errors = []
addEventListener("error", ({ message }) => errors.push(message))
addEventListener("load", async () => {
  for (const details of document.querySelectorAll("details")) details.open = true
  const sizes = [...document.querySelectorAll("body *")]
    .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ""))
    .filter((element) => !["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName))
    .map((element) => parseFloat(getComputedStyle(element).fontSize))
  const plot = document.querySelector("[data-chart]")
  const box = plot.getBoundingClientRect()
  plot.dispatchEvent(new PointerEvent("pointermove", { clientX: box.left + box.width / 2, clientY: box.top + 5 }))
  const tip = plot.querySelector(".tip").innerText
  const samples = document.querySelector(".samples")
  const choose = (tag) => {
    const choice = [...samples.querySelectorAll("input")].find(({ value }) => value === tag)
    choice.checked = true
    choice.dispatchEvent(new Event("change", { bubbles: true }))
    return [...samples.querySelectorAll(".gallery > li")].filter(({ offsetHeight }) => offsetHeight > 0).map((sample) => sample.querySelector(".question").textContent)
  }
  const chosen = choose("got worse")
  choose("")
  const found = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] })
  parent.postMessage({
    violations: found.violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(({ html, failureSummary }) => html.slice(0, 160) + " " + failureSummary) })),
    passes: found.passes.map(({ id }) => id),
    scrollWidth: document.documentElement.scrollWidth,
    smallestLetters: Math.min(...sizes),
    errors,
    tip,
    chosen
  }, "*")
})`

/** Looks at a page with axe. Its own policy would keep axe out of it, so that is taken away; all else is as it is. */
export const examine = async (html: string, look: Look, directory: string, axeSource: string): Promise<Findings> => {
  const page = join(directory, "page.html")
  const opened = html
    .replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "")
    .replace("</title>", () => `</title><script>${axeSource}</script><script>${examining}</script>`)
  writeFileSync(page, opened)
  const frame = join(directory, "frame.html")
  const telling = `<pre></pre><script>addEventListener("message", ({ data }) => { document.querySelector("pre").textContent = encodeURIComponent(JSON.stringify(data)) })</script>`
  writeFileSync(frame, telling + frameOf("page.html", look, 1200))
  const dom = await run([...options(look, 1200), "--dump-dom", `file://${frame}`], join(directory, "profile"))
  const [, said = ""] = /<pre>([^<]*)<\/pre>/.exec(dom) ?? []
  if (said === "") throw new Error(`chromium has not examined the page: ${dom.slice(0, 400)}`)
  return JSON.parse(decodeURIComponent(said))
}

/** Takes a picture of the top of a page. */
export const picture = async (
  html: string,
  look: Look,
  height: number,
  directory: string,
  file: string
): Promise<void> => {
  writeFileSync(join(directory, "shown.html"), html)
  const frame = join(directory, "shown-frame.html")
  writeFileSync(frame, frameOf("shown.html", look, height))
  await run([...options(look, height), `--screenshot=${file}`, `file://${frame}`], join(directory, "profile"))
}

export const axeFile = axe
