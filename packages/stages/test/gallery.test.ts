/** Sample answers with their images, as the report shows them. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { benchmarkNamed, benchmarks, readDataFile } from "@speedq/evaluation"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { galleries } from "../src/evaluate/gallery.ts"
import { nanoData } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-gallery-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** The picture of nano's first question, in base64. */
const picture = (): string =>
  readFileSync(join(nanoData, "evaluation/short.tsv"), "utf8").split("\n")[1]!.split("\t").at(-1)!

describe("the gallery", () => {
  it("shows the text that a benchmark expects, where its file has a list of them", async () => {
    const file = join(root, "OCRBench.tsv")
    const cells = ["0", "what is written in the image?", "['RH']", "Regular Text Recognition", picture()]
    writeFileSync(file, ["index\tquestion\tanswer\tcategory\timage", cells.join("\t"), ""].join("\n"))
    const score = { benchmark: "OCRBench", data: "OCRBench.tsv", overall: 100, categories: {}, divergence: null }
    const answers = [{ index: "0", answer: "RH", correct: true }]
    const scores = [{ ...score, divergenceTokens: 0, answers }]
    const shown = await Effect.runPromise(
      Effect.gen(function* () {
        const benchmark = yield* benchmarkNamed("OCRBench", benchmarks)
        const data = yield* readDataFile(file, benchmark)
        const evaluation = { title: "one", made: "source" as const, scores, bytes: 1, bitsPerParameter: 1 }
        return yield* galleries([{ benchmark, data, name: "OCRBench.tsv" }], [evaluation])
      })
    )
    const [section] = shown
    const [item] = section?._tag === "Gallery" ? section.items : assert.fail("no gallery")
    assert.strictEqual(item?.expected, "RH")
    assert.deepStrictEqual(item?.answers, [{ by: "one", text: "RH", correct: true }])
  })
})
