/** Files that an editor saved with a byte order mark are read as without: calibration text, lists of pictures. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { makeTokenizer, tokenizerParts } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { readBlocks } from "../src/calibration/calibration.ts"
import { drawPictures, isPicture } from "../src/data/calibrationPictures.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-marks-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** What `read` gives of a file with these contents, without a mark and with one. */
const both = async <A>(name: string, content: string, read: (file: string) => Effect.Effect<A, unknown>) => {
  const file = join(root, name)
  const results: A[] = []
  for (const mark of ["", "\ufeff"]) {
    writeFileSync(file, mark + content)
    results.push(await Effect.runPromise(read(file)))
  }
  return results
}

describe("a byte order mark", () => {
  it("is no part of calibration text", async () => {
    const tokenizer = await Effect.runPromise(makeTokenizer(tokenizerParts([]), "bytes"))
    const blocks = (file: string) => readBlocks(file, tokenizer, { documents: 4, longest: 64, block: 4 })
    for (const [name, content] of [
      ["lines.jsonl", '{"text":"one two"}\n{"text":"three"}\n'],
      ["paragraphs.txt", "one two\n\nthree"]
    ] as const) {
      const [plain, marked] = await both(name, content, blocks)
      assert.deepStrictEqual(marked, plain)
    }
  })

  it("is no part of the first path of a list", async () => {
    const named = (images: string) =>
      Effect.map(drawPictures({ images, count: 9, maxTiles: 1 }, 1), (drawn) =>
        drawn.flatMap((each) => (isPicture(each) ? [each.file] : [])).sort()
      )
    const [plain, marked] = await both("list.txt", "a.png\nb.bmp\n", named)
    assert.deepStrictEqual(marked, plain)
    assert.deepStrictEqual(plain, [join(root, "a.png"), join(root, "b.bmp")])
  })
})
