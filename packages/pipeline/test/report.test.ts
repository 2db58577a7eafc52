/** The report: one self-contained page, everySection escaped, every result in it. */
import { createHash } from "node:crypto"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import fc from "fast-check"
import { assert } from "vitest"
import { recipeModule, Surroundings } from "../src/machine/Machine.ts"
import { status } from "../src/overview/status.ts"
import { writeReport } from "../src/overview/writeReport.ts"
import { publicSection } from "../src/report/publicSection.ts"
import type { Section } from "../src/report/Report.ts"
import { renderReport } from "../src/report/renderReport.ts"
import { scaleFor } from "../src/report/scale.ts"
import { script } from "../src/report/script.ts"
import { smooth, thin } from "../src/report/smooth.ts"
import { formatBytes, formatDuration, formatNumber } from "../src/text/format.ts"
import { everySection, pixel } from "./support/everySection.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { recipeOf, runHere } from "./support/toyRun.ts"

const page = (...sections: ReadonlyArray<Section>): string =>
  renderReport({ title: "A <run>", subtitle: "model & seed", chapters: [{ title: "One", sections }] })

/** Fails unless every element that is opened is closed, in order, and every attribute is quoted. */
const assertWellFormed = (text: string) => {
  const open: Array<string> = []
  // Our own script is code, not markup; any other would be left, and fail.
  const markup = text.replace(`<script>${script}</script>`, "")
  assert.notInclude(markup, "<script")
  const empty = new Set(["meta", "img", "input"])
  for (const [, closing, name = "", attributes = "", selfClosing] of markup.matchAll(
    /<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[a-zA-Z-]+(?:="[^"<>]*")?)*)\s*(\/?)>/g
  )) {
    if (closing) assert.strictEqual(open.pop(), name)
    else if (!selfClosing && !empty.has(name)) open.push(name)
    assert.notMatch(attributes, /=[^"]*$/)
  }
  assert.isEmpty(open)
  // What is left of the text when all tags are gone holds no angle bracket.
  const words = markup.replace(/<style>[\s\S]*<\/style>/, "").replace("<!doctype html>", "")
  assert.notMatch(words.replaceAll(/<\/?[a-zA-Z][^<>]*>/g, ""), /[<>]/)
}

describe("renderReport", () => {
  it("renders every kind of section, escaped and well formed", () => {
    const text = page(...everySection)
    assertWellFormed(text)
    assert.include(text, "&lt;script&gt;alert(1)&lt;/script&gt;")
    assert.include(text, "<td>1.235e-4</td>")
    assert.include(text, 'alt="a &quot;red&quot; pixel"')
    assert.include(text, `src="data:image/png;base64,${pixel}"`)
    assert.include(text, '<span class="mark">✓ right</span> a pixel')
    assert.include(text, "✗ wrong")
    assert.include(text, "<li>A. a &lt;pixel&gt;</li>")
    assert.include(text, "keeps 99 % of &lt;all&gt;")
    assert.include(text, "<summary>npx &lt;run&gt;</summary>")
    assert.include(text, 'title="layers.0.q: error 2 before, 1 after">0.50</td>')
    assert.include(text, "train: from 10 at step 1 to 0.1 at step 5")
    assert.include(
      text,
      "<span>&lt;script&gt;alert(2)&lt;/script&gt;</span><span>\u21b5\n</span><mark><span>an </span><span>answer&lt;/mark&gt;</span></mark><del><span>cut&lt;b&gt;</span></del>"
    )
  })

  it("aligns columns of numbers to the right, with units and spreads, and no others", () => {
    const rows = [
      ["a", 1234567, "3.8 KiB", "0.5 ± 0.1", "7/9", "2"],
      ["b", 0.5, "-", "12.0", "4 min 10 s", "native"]
    ]
    const text = page({ _tag: "Table", title: "t", columns: ["1", "2", "3", "4", "5", "6"], rows })
    assert.include(
      text,
      '<tr><th scope="row" class="short">a</th><td class="number">1,234,567</td><td class="number">3.8 KiB</td><td class="number">0.5 ± 0.1</td><td class="number">7/9</td><td>2</td></tr>'
    )
  })

  it("turns a table of many columns and few rows on its side", () => {
    const columns = ["model", ...Array.from({ length: 9 }, (_, index) => `score ${index}`)]
    const row = (name: string) => [name, ...Array.from({ length: 9 }, (_, index) => index / 2)]
    const table: Section = { _tag: "Table", title: "t", columns, rows: [row("a"), row("<b>")] }
    const text = page(table)
    assertWellFormed(text)
    assert.include(
      text,
      '<th scope="col">model</th><th scope="col" class="number">a</th><th scope="col" class="number">&lt;b&gt;</th>'
    )
    assert.include(
      text,
      '<tr><th scope="row" class="short">score 3</th><td class="number">1.5</td><td class="number">1.5</td></tr>'
    )
    // Rows that are stale are named by their place.
    assert.include(page({ ...table, stale: [1] }), '<tr class="stale"><th scope="row" class="short">&lt;b&gt;</th>')
  })

  it("puts small charts side by side", () => {
    const chart = (title: string, compact: boolean): Section => ({
      _tag: "LineChart",
      title,
      xLabel: "step",
      yLabel: "y",
      compact,
      series: [{ name: "y", points: [[1, 1]] }]
    })
    const text = page(chart("a", false), chart("b", true), chart("c", true), chart("d", false), chart("e", true))
    assertWellFormed(text)
    const order = [...text.matchAll(/(<div class="pairs">)|<figcaption>(.)|(<\/figure><\/div>)/g)]
    const signs = order.map(([, opens, title, closes]) => (opens ? "[" : closes ? "]" : title))
    assert.strictEqual(signs.join(""), "a[bc]d[e]")
  })

  it("takes nothing from elsewhere, and runs nothing but its own script", () => {
    const text = page(...everySection)
    assert.notMatch(text, /<link|<iframe|@import|url\(|https?:|src="(?!data:)/i)
    assert.notMatch(text, /\son[a-z]+="/i)
    assert.lengthOf(text.match(/<script/g) ?? [], 1)
    const digest = createHash("sha256").update(script).digest("base64")
    assert.include(
      text,
      `content="default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;; script-src &#39;sha256-${digest}&#39;"`
    )
    // The script neither asks the network nor makes markup of texts.
    assert.notMatch(script, /fetch|XMLHttp|WebSocket|import\(|innerHTML|insertAdjacent|document\.write|eval|Function\(/)
  })

  it("has no script at all where there is nothing to explore", () => {
    const hostile = 'data-chart="1" class="live" <details>'
    const text = page({ _tag: "Text", title: hostile, paragraphs: [hostile] })
    assert.notInclude(text, "<script")
    assert.include(text, "script-src &#39;none&#39;")
  })

  it("says that a run works, and loads itself again only then", () => {
    const report = { title: "t", subtitle: "", chapters: [], writtenAt: 0 }
    const live = renderReport({ ...report, refresh: 60 })
    assertWellFormed(live)
    assert.include(live, "The run is working.")
    assert.include(live, '<noscript><meta http-equiv="refresh" content="60"></noscript>')
    assert.notMatch(renderReport(report), /http-equiv="refresh"|class="live"/)
  })

  it("puts front sections first, and side by side", () => {
    const [headline, , scatter] = everySection
    const front = [headline!, scatter!]
    const text = renderReport({ title: "t", subtitle: "", front, chapters: [{ title: "One", sections: [] }] })
    assertWellFormed(text)
    assert.isBelow(text.indexOf('class="headline"'), text.indexOf("<h2"))
  })

  it("stays well formed whatever the texts and numbers are", () => {
    const number = fc.double()
    fc.assert(
      fc.property(
        fc.string({ unit: "grapheme" }),
        fc.array(fc.tuple(number, number), { maxLength: 30 }),
        fc.boolean(),
        (text, points, logarithmic) => {
          const bars = points.map(([a, b]) => ({ label: text, values: [a, b] }))
          assertWellFormed(
            page(
              { _tag: "Text", title: text, paragraphs: [text] },
              { _tag: "Table", title: text, columns: [text, "x"], rows: points.map(([a]) => [text, a]) },
              {
                _tag: "LineChart",
                title: text,
                xLabel: text,
                yLabel: text,
                logarithmic,
                series: [{ name: text, points }]
              },
              { _tag: "BarChart", title: text, yLabel: text, logarithmic, series: [text, "b"], groups: bars }
            )
          )
        }
      ),
      { seed: 5, numRuns: 200 }
    )
  })
})

describe("charts", () => {
  it("a long curve is thinned, and its extremes stay", () => {
    const points = Array.from({ length: 50_000 }, (_, step) => [step, Math.sin(step / 900)] as const)
    const spiked = points.map(([x, y]) => (x === 31_415 ? ([x, 99] as const) : ([x, y] as const)))
    const thinned = thin(spiked)
    assert.isAtMost(thinned.length, 600)
    assert.deepInclude(thinned, [31_415, 99])
    assert.isTrue(thinned.every(([x], index) => index === 0 || x > thinned[index - 1]![0]))
  })

  it("a noisy curve is smoothed around its middle; a schedule and a step stay as they are", () => {
    const noisy = Array.from({ length: 400 }, (_, step) => [step, 5 - step / 100 + (step % 2 ? 1 : -1)] as const)
    const smoothed = smooth(noisy, false)
    assert.lengthOf(smoothed, 400)
    for (const [x, y] of smoothed.slice(20, -20)) assert.approximately(y, 5 - x / 100, 0.2)
    const schedule = Array.from({ length: 80 }, (_, step) => [step, step < 4 ? step / 4 : 1 - step / 80] as const)
    assert.strictEqual(smooth(schedule, false), schedule)
    const steps = Array.from({ length: 750 }, (_, step) => [step, 10 ** (Math.floor(step / 250) - 1)] as const)
    assert.strictEqual(smooth(steps, true), steps)
  })

  it("axes cover their values with round, increasing ticks", () => {
    const value = fc.double({ min: -1e12, max: 1e12, noNaN: true })
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), (values) => {
        const { at, ticks } = scaleFor(values, false, 0, 100)
        assert.isTrue(ticks.every((tick, index) => index === 0 || tick > ticks[index - 1]!))
        assert.isAtMost(ticks.length, 13)
        for (const one of values) {
          assert.isAtLeast(at(one), -1e-6)
          assert.isAtMost(at(one), 100 + 1e-6)
        }
      }),
      { seed: 3, numRuns: 300 }
    )
    assert.deepStrictEqual(scaleFor([0.02, 40], true, 0, 100).ticks, [0.01, 0.1, 1, 10, 100])
  })
})

describe("a section for others", () => {
  it("has no absolute paths where it tells of the run; what models read and answer stays", () => {
    const path = "/home/ann/data/a.jsonl"
    const text: Section = { _tag: "Text", title: path, paragraphs: [`2 samples of ${path}: whole`] }
    assert.deepStrictEqual(publicSection(text), {
      ...text,
      title: "a.jsonl",
      paragraphs: ["2 samples of a.jsonl: whole"]
    })
    const table: Section = { _tag: "Table", title: "t", columns: ["c"], rows: [[path, 3]] }
    assert.deepStrictEqual(publicSection(table), { ...table, rows: [["a.jsonl", 3]] })
    const answers = [{ by: "m", text: path }]
    const gallery: Section = { _tag: "Gallery", title: "g", items: [{ images: [], question: path, answers }] }
    assert.deepStrictEqual(publicSection(gallery), gallery)
  })
})

describe("numbers", () => {
  it("are written for people", () => {
    assert.deepStrictEqual([0.5, 1234.5678, 1e-5, 0, 12345678, Number.NaN].map(formatNumber), [
      "0.5",
      "1235",
      "1e-5",
      "0",
      "1.235e+7",
      "NaN"
    ])
    assert.deepStrictEqual([5, 12_345, 250_000, 7_500_000, 273_600_000].map(formatDuration), [
      "5 ms",
      "12.3 s",
      "4 min 10 s",
      "2 h 05 min",
      "3 d 4 h"
    ])
    assert.deepStrictEqual([0, 1536, 4.1 * 2 ** 30].map(formatBytes), ["0 B", "1.5 KiB", "4.1 GiB"])
  })
})

describe("the report and the status of a run", () => {
  it.live("tell how it stands, show each step once, and say what went wrong", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const recipe = recipeOf([
        { use: "toy-vit", steps: 9, floats: 400 },
        { use: "toy-projector", steps: 9, floats: 400 }
      ])
      const current = Effect.map(Effect.provide(status(directory), NodeServices.layer), Option.getOrUndefined)
      const told = () => readFileSync(join(directory, "report.html"), "utf8")
      assert.isUndefined(yield* current)

      yield* runHere(directory, recipe, { failAt: { label: "toy-projector", step: 8 } }).pipe(
        Effect.provideService(Surroundings, {
          host: "box-of-ann",
          backend: "none",
          [recipeModule]: "/home/ann/mine.ts"
        })
      )
      assertWellFormed(told())
      // It is shown to others: run.json has the machine's name and the whole path.
      assert.include(told(), "<td>mine.ts</td>")
      assert.notInclude(told(), "of-ann")
      assert.include(readFileSync(join(directory, "run.json"), "utf8"), "box-of-ann")
      assert.include(
        told(),
        "failed: stage 02-toy-projector stopped at step 7 of 9: the toy was told to fail at step 8"
      )
      const half = yield* current
      assert.strictEqual(half?.state, "failed")
      assert.deepInclude(half?.stages[0], { place: "01-toy-vit", state: "finished", step: 9, steps: 9, savedStep: 9 })
      assert.deepInclude(half?.stages[1], {
        place: "02-toy-projector",
        state: "begun",
        step: 7,
        steps: 9,
        savedStep: 7
      })

      // Results on the way are no results of the run.
      const ownReport = join(directory, "stages/01-toy-vit/report.json")
      const own = readFileSync(ownReport)
      const headline = { _tag: "Headline", title: "", sentence: "toy: all right", figures: [], front: true }
      writeFileSync(ownReport, JSON.stringify([headline]))
      yield* Effect.provide(writeReport(directory), NodeServices.layer)
      assert.include(told(), ">So far: toy: all right<")
      writeFileSync(ownReport, own)

      // The step after the state before is done, and told, once more.
      rmSync(join(directory, "stages", "02-toy-projector", "step-00000007.safetensors"))

      yield* runHere(directory, recipe)
      assertWellFormed(told())
      assert.strictEqual((yield* current)?.state, "finished")
      assert.include(told(), '<td class="number">9/9</td>')
      assert.include(told(), "<summary>Layers: ")
      const curve =
        told()
          .split('id="c1"')[1]
          ?.match(/<polyline[^>]*points="([^"]*)"/)?.[1] ?? ""
      assert.strictEqual(curve.split(" ").length, 9)
    })
  )
})
