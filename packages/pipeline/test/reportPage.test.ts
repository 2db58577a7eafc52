/**
 * The report as a browser shows it: accessible by the rules of axe, in light and dark, as wide as a screen and as a telephone.
 * `REPORT_PICTURES=DIR` also takes pictures of it there.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { setTimeout } from "node:timers/promises"
import { afterAll, assert, describe, it, vi } from "vitest"
import { renderReport } from "../src/report/renderReport.ts"
import { openPage } from "./support/browser.ts"
import { axeFile, chromium, examine, installCommand, type Look, picture } from "./support/chromium.ts"
import { everySection } from "./support/everySection.ts"

const isFront = ({ _tag }: (typeof everySection)[number]) => ["Headline", "Scatter"].includes(_tag)
const chapters = [
  { title: "Sections", sections: everySection.filter((section) => !isFront(section)) },
  { title: "03-qat (stale)", sections: everySection.filter((section) => !isFront(section)), stale: true }
]
const page = renderReport({
  title: "nano-2bit",
  subtitle: "model nano, seed 42",
  refresh: 60,
  writtenAt: Date.now(),
  front: everySection.filter(isFront),
  chapters
})

const looks: ReadonlyArray<Look> = [
  { width: 1300, scheme: "light" },
  { width: 400, scheme: "dark" }
]

const directory = mkdtempSync(join(tmpdir(), "speedq-page-"))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe.skipIf(chromium === undefined)(
  `the report in a browser (without one it is skipped: ${installCommand})`,
  () => {
    it.each(looks)("has no fault of accessibility, and fits, $width pixels wide and $scheme", async (look) => {
      const found = await examine(page, look, directory, readFileSync(axeFile, "utf8"))
      assert.deepStrictEqual(found.errors, [])
      assert.deepStrictEqual(found.violations, [])
      // The rules that matter here were applied, not left out.
      assert.includeMembers(
        [...found.passes],
        ["color-contrast", "heading-order", "image-alt", "document-title", "label"]
      )
      assert.isAtMost(found.scrollWidth, look.width)
      assert.isAtLeast(found.smallestLetters, 12)
      // Points that cannot be drawn, 0 and NaN on a logarithmic axis, are no values of it.
      assert.strictEqual(found.tip, "train, step 2: 1")
      assert.deepStrictEqual(found.chosen, ["What is <this>?"])
    })

    it("finds a fault where there is one", async () => {
      const faulty = page
        .replace("--soft:#57606a", "--soft:#c0c4c8")
        .replaceAll("<h3", "<h5")
        .replaceAll("</h3", "</h5")
      const { violations } = await examine(faulty, looks[0]!, directory, readFileSync(axeFile, "utf8"))
      assert.includeMembers(
        violations.map(({ id }) => id),
        ["color-contrast", "heading-order"]
      )
    })

    it("loads itself again while the run works, and is printed whole", async () => {
      const file = join(directory, "live.html")
      const write = (subtitle: string) =>
        writeFileSync(file, renderReport({ title: "run", subtitle, refresh: 1, writtenAt: Date.now(), chapters }))
      write("written first")
      const shown = await openPage(`file://${file}`, looks[0]!, join(directory, "live"))
      const says = (text: string) => shown.value(`document.body?.innerText.includes("${text}")`)
      const becomes = (text: string) => vi.waitUntil(() => says(text), { timeout: 120_000, interval: 100 })
      try {
        await becomes("written first")
        write("written second")
        await becomes("written second")
        // A reader who does not want it is left alone.
        await shown.value(`document.querySelector(".live input").click()`)
        write("written third")
        await setTimeout(1500)
        assert.isTrue(await says("written second"))

        const closed = `document.querySelectorAll("details:not([open])").length`
        assert.isAbove(Number(await shown.value(closed)), 0)
        await shown.value(`addEventListener("beforeprint", () => { window.closed_ = ${closed} })`)
        const { data } = await shown.call("Page.printToPDF")
        assert.strictEqual(Buffer.from(String(data), "base64").toString("latin1", 0, 5), "%PDF-")
        assert.strictEqual(await shown.value("window.closed_"), 0)
        assert.isAbove(Number(await shown.value(closed)), 0)

        const hidden = (selector: string) =>
          shown.value(`[...document.querySelectorAll("${selector}")].every((each) => each.offsetHeight === 0)`)
        const chosen = "nav, .filter, .live label"
        assert.isFalse(await hidden(chosen))
        await shown.call("Emulation.setEmulatedMedia", { media: "print" })
        assert.isTrue(await hidden(chosen))
      } finally {
        await shown.close()
      }
    })

    const pictures = process.env.REPORT_PICTURES
    it.skipIf(pictures === undefined)("is shown in pictures", async () => {
      const folder = resolve(pictures ?? "")
      mkdirSync(folder, { recursive: true })
      for (const width of [1300, 400]) {
        for (const scheme of ["light", "dark"] as const) {
          await picture(page, { width, scheme }, 3000, directory, join(folder, `report-${width}-${scheme}.png`))
        }
      }
    })
  }
)
