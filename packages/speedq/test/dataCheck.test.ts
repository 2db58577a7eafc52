/** `speedq data check`: of a recipe and of a meta file, as text and as JSON, and how it ends. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { WrongUsage } from "../src/Errors.ts"
import { shippedNano } from "../src/shipped/shipped.ts"
import { fails, speedq, works } from "./support/inProcess.ts"
import { evaluateStage } from "./support/smallRun.ts"

const model = join(shippedNano, "model")
const record = (answer: string, image?: string) =>
  JSON.stringify({
    ...(image && { image: join(shippedNano, "images", image) }),
    conversations: [
      { from: "human", value: "What?" },
      { from: "gpt", value: answer }
    ]
  })

const root = mkdtempSync(join(tmpdir(), "speedq-data-check-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const meta = join(root, "meta.json")
const recipe = join(root, "recipe.json")
beforeAll(() => {
  const lines = [
    record("red", "0001.png"),
    record("red <i>"),
    record("gone", "none.png"),
    record("blue"),
    '{"bad json": \u001b[31m'
  ]
  writeFileSync(join(root, "set.jsonl"), lines.join("\n"))
  writeFileSync(meta, JSON.stringify({ set: { root, annotation: "set.jsonl" } }))
  const quantizers = [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }]
  const stages = [{ use: "qat", data: { meta, maxTiles: 1, onError: "substitute" }, quantizers }]
  writeFileSync(recipe, JSON.stringify({ version: 1, name: "small", model, seed: 3, stages }))
})

describe("speedq data check", () => {
  it("checks what the stages of a recipe train on, with their options and those of --set, and writes a preview", async () => {
    const page = join(root, "preview.html")
    const { stdout, stderr } = await works(["data", "check", recipe, "--preview", "5", "--preview-out", page])
    assert.match(
      stdout,
      /meta\.json, for 01-qat\n.*seed 3, percent 100, maxLength 8192, maxTiles 1, onError substitute/
    )
    assert.match(stdout, /^set +5 +5 +3 +2 +1 +0 +0 +5$/m)
    assert.match(stdout, /set\.jsonl:3: missing file: .*none\.png/)
    assert.match(stdout, /It can be trained on; other records take the places of 2\.\n$/)
    assert.include(stderr, `the preview is in ${page}`)
    const written = readFileSync(page, "utf8")
    assert.match(written, /<mark>.*<span>.*blue.*<\/mark>/)
    assert.match(written, /<img src="data:image\/png;base64,/)
    assert.notMatch(written, /<i>|<script/)
    assert.notInclude(stdout + stderr, "\u001b[31m")
    const failed = await speedq(["data", "check", recipe, "--set", "qat.data.onError=fail"])
    assert.strictEqual(failed.code, 1)
    assert.match(failed.stderr, /error: the data cannot be trained on as it is: 1 problem above\n$/)
    assert.match(failed.stdout, /It cannot be trained on as it is:\n {2}2 records cannot be used/)
  })

  it("checks all of a meta file for a model, and gives one document, or a file of the lines", async () => {
    const out = join(root, "lines.jsonl")
    const { code, stdout } = await speedq([
      ...["data", "check", meta, "--model", model, "--max-length", "40", "--max-tiles", "2"],
      ...["--decode", "--out", out, "--json"]
    ])
    assert.strictEqual(code, 1)
    const { trainable, checks, preview } = JSON.parse(stdout)
    assert.deepStrictEqual([trainable, preview, checks.length], [false, null, 1])
    assert.deepInclude(checks[0], { model, percent: 0, maxLength: 40, maxTiles: 2, onError: "fail", decoded: true })
    const lines = readFileSync(out, "utf8").trim().split("\n")
    assert.deepStrictEqual(
      lines.map((line) => JSON.parse(line)),
      checks[0].lines.map((line: object) => ({ stages: [], ...line }))
    )
    assert.deepInclude(checks[0].lines[0], { dataset: "set", line: 3, fault: "missing file" })
  })

  it("looks at calibration images and text and at files of benchmarks, too", async () => {
    const picture = readFileSync(join(shippedNano, "images/0001.png"))
    writeFileSync(join(root, "cut.png"), picture.subarray(0, Math.floor(0.6 * picture.length)))
    writeFileSync(join(root, "list.txt"), `${join(shippedNano, "images/0001.png")}\ncut.png\n`)
    writeFileSync(join(root, "short.txt"), "too short")
    const columns = ["index", "image_path", "question", "reply", "category", "kind"].join("\t")
    writeFileSync(join(root, "short.tsv"), `${columns}\n1\t${join(shippedNano, "images/0001.png")}\tWhat?\tred\ta\tb\n`)
    const quantizers = [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }]
    const others = join(root, "others.json")
    const write = (onError: string, calibration: string, data: string) => {
      const stages = [
        { use: "adaround-vit", images: join(root, "list.txt"), onError, quantizers },
        { use: "autoclip", calibration, sampleTokens: 64, quantizers },
        { use: "adaround-language", calibration, block: 64, quantizers },
        { ...evaluateStage("full"), benchmarks: [{ name: "nano", data, limit: 3 }] }
      ]
      writeFileSync(others, JSON.stringify({ version: 1, name: "others", model, seed: 3, stages }))
    }
    write("fail", join(root, "short.txt"), join(root, "short.tsv"))
    const { code, stdout } = await speedq(["data", "check", others])
    assert.strictEqual(code, 1)
    assert.match(stdout, /calibration images .*list\.txt, for 01-adaround-vit: \d+ tiles, 1 cannot be used/)
    assert.match(stdout, /cut\.png: .*not an image that can be read/)
    assert.match(stdout, /1 images cannot be used, and the stage ends at the first of them/)
    assert.match(stdout, /short\.txt gives \d+ tokens of calibration data/)
    assert.match(stdout, /short\.tsv: no column "answer"/)
    write("substitute", join(shippedNano, "calibration.jsonl"), join(shippedNano, "evaluation/short.tsv"))
    const { trainable, checks, sources } = JSON.parse((await works(["data", "check", others, "--json"])).stdout)
    assert.deepStrictEqual([trainable, checks], [true, []])
    assert.deepStrictEqual(
      sources.map(({ kind, stages, unit }: { kind: string; stages: string[]; unit: string }) => [kind, stages, unit]),
      [
        ["calibration images", ["01-adaround-vit"], "tiles"],
        ["calibration text", ["02-autoclip"], "blocks"],
        ["calibration text", ["03-adaround-language"], "blocks"],
        ["benchmark", ["04-evaluate"], "rows"]
      ]
    )
    assert.isAbove(sources[2].used, 1)
    assert.strictEqual(sources[3].used, 3)
    assert.strictEqual(sources[0].named[0].at, join(root, "cut.png"))
  })

  it("says why there is no sample, and counts records", async () => {
    const empty = join(root, "empty.json")
    const check = async (datasets: object) => {
      writeFileSync(empty, JSON.stringify(datasets))
      const { code, stdout, stderr } = await speedq(["data", "check", empty, "--model", model])
      assert.strictEqual(code, 1)
      assert.include(stdout, "all samples, maxLength")
      assert.notInclude(stdout, "data.percent")
      return stdout + stderr
    }
    assert.include(await check({}), `${empty} names no data set; add one`)
    writeFileSync(join(root, "none.jsonl"), "")
    const none = await check({ none: { root, annotation: "none.jsonl" } })
    assert.include(none, `the annotation files of ${empty} are empty; add records`)
    writeFileSync(join(root, "one.jsonl"), `${record("red")}\n`)
    const rare = await check({ one: { root, annotation: "one.jsonl", repeat_time: 0.01 } })
    assert.include(rare, `${empty} selects no sample; raise repeat_time of its data sets, or give more data`)
    const { stderr } = await speedq(["data", "check", meta, "--model", model])
    assert.match(stderr, /^set: 5 records$/m)
    assert.match(stderr, /^set: record 5\/5$/m)
  })

  it("says what is given wrongly, and that there is nothing to check", async () => {
    const wrong = async (...args: readonly string[]) => {
      const error = await fails(["data", "check", ...args], 2)
      assert.instanceOf(error, WrongUsage)
      return error.message
    }
    assert.match(await wrong(meta), /is a meta file; give the model .*--model DIR/)
    assert.match(await wrong(meta, "--model", model, "--set", "a=1"), /--set is for recipes/)
    assert.match(await wrong(recipe, "--model", model), /--set model=DIR/)
    assert.match(await wrong(recipe, "--max-tiles", "2"), /--set STAGE\.data\.maxTiles=N/)
    assert.match(
      (await fails(["data", "check", join(root, "set.jsonl"), "--model", model])).message,
      /it is an annotation file/
    )
    const none = join(root, "none.json")
    writeFileSync(
      none,
      JSON.stringify({
        version: 1,
        name: "none",
        model,
        stages: [
          {
            use: "round-language",
            quantizers: [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }]
          }
        ]
      })
    )
    assert.match(
      (await works(["data", "check", none])).stdout,
      /no stage of .*none\.json reads data: there is nothing to check/
    )
    assert.isFalse(existsSync("data-preview.html"))
  })
})
