import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { publicJson, publicText } from "../src/index.ts"

const here = process.cwd()

describe("text for others", () => {
  const cases: ReadonlyArray<readonly [string, string]> = [
    ["2 samples of /home/ann/data/train.jsonl: 2 to learn from", "2 samples of train.jsonl: 2 to learn from"],
    ["(/data/a/b.tsv), line 3", "(b.tsv), line 3"],
    ['"/home/ann/x.png" and model=/home/ann/m', '"x.png" and model=m'],
    ["see file:///home/ann/x.html", "see x.html"],
    ["C:\\Users\\Ann\\m.json and \\\\server\\share\\n.json", "m.json and n.json"],
    [`in ${join(here, "data", "train.jsonl")}: bad`, "in data/train.jsonl: bad"],
    // No paths of a machine:
    ["https://example.com/a/b, 7/9 or 3 / 4, and/or", "https://example.com/a/b, 7/9 or 3 / 4, and/or"],
    ["data/nano/model, ../x/y, a /no_think b", "data/nano/model, ../x/y, a /no_think b"]
  ]
  for (const [text, expected] of cases)
    it(`${text} is ${expected}`, () => assert.strictEqual(publicText(text), expected))
})

describe("JSON for others", () => {
  it("has no absolute paths, whatever is in them, and all else as it was", () => {
    const json = {
      model: "/home/ann lee/models/InternVL3 1B",
      at: "/model",
      windows: "D:\\models\\nano",
      data: [{ meta: join(here, "meta.json"), percent: 1, gallery: false, limit: null }],
      relative: "data/nano/model"
    }
    assert.deepStrictEqual(publicJson(json), {
      model: "InternVL3 1B",
      at: "model",
      windows: "nano",
      data: [{ meta: "meta.json", percent: 1, gallery: false, limit: null }],
      relative: "data/nano/model"
    })
  })
})
