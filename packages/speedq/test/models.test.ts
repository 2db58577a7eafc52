import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import type { Exported } from "@speedq/exports"
import { acquireLock } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { Answered } from "../src/models/ask.ts"
import { shippedNano } from "../src/shipped/shipped.ts"
import { fails, json, speedq, works } from "./support/inProcess.ts"
import { randomNano, speedqStages, writeRecipe } from "./support/smallRun.ts"
import { speedqProcess, temporaryDirectory } from "./support/speedq.ts"

const native = ["--backend", "native:none"]
const image = (index: number) => join(shippedNano, "images", `${String(index).padStart(4, "0")}.png`)
const short = join(shippedNano, "evaluation", "short.tsv")

/** A random nano model, and a run that quantized it. */
const shared = { directory: "", model: "", run: "" }
beforeAll(async () => {
  shared.directory = mkdtempSync(join(tmpdir(), "speedq-cli-"))
  shared.model = await randomNano(shared.directory)
  shared.run = join(shared.directory, "run")
  const { code, stderr } = await speedq([
    "run",
    writeRecipe(shared.model, speedqStages(2)),
    "--out",
    shared.run,
    ...native
  ])
  assert.strictEqual(code, 0, stderr)
})
afterAll(() => rmSync(shared.directory, { recursive: true, force: true }))

describe("speedq chat", () => {
  const ask = async (model: string, ...more: string[]) =>
    (await json(["chat", model, "What differs?", "--max-new-tokens", "12", ...native, ...more])) as Answered

  it("answers about several images, as text or as one document", async () => {
    const images = ["--image", image(1), "--image", image(2)]
    const answered = await ask(shared.model, ...images)
    assert.deepStrictEqual(answered.images, [
      { file: image(1), tiles: 1 },
      { file: image(2), tiles: 1 }
    ])
    assert.isNotEmpty(answered.answer)
    const text = await speedq(["chat", shared.model, "What differs?", "--max-new-tokens", "12", ...native, ...images])
    assert.strictEqual(text.code, 0, text.stderr)
    assert.strictEqual(text.stdout.trim(), answered.answer)
    const drawn = ["--temperature", "5", "--seed", "4"]
    const [once, again] = [await ask(shared.model, ...drawn), await ask(shared.model, ...drawn)]
    assert.strictEqual(once.answer, again.answer)
    assert.notStrictEqual(once.answer, (await ask(shared.model)).answer)
  })

  it("names what cannot be used", async () => {
    const broken = join(temporaryDirectory(), "broken.png")
    writeFileSync(broken, "no image")
    const { code, stdout, stderr } = await speedq(["chat", shared.model, "?", "--image", broken, "--json"])
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "")
    assert.match(stderr, /^error: .*broken\.png/)
    const large = await speedq(["chat", shared.model, "?", "--image", image(1), "--max-pixels", "99", ...native])
    assert.strictEqual(large.code, 1)
    assert.match(large.stderr, /^error: .*0001\.png: \d+ x \d+ pixels are more than 99/)
    assert.match(
      (await speedq(["chat", join(shared.directory, "nothing"), "?", ...native])).stderr,
      /^error: model .*nothing\/config\.json: it does not exist; give a directory of an InternVL model\n$/
    )
  })

  it("and evaluate take a run, whose packed export answers, or its only one", async () => {
    const run = temporaryDirectory()
    const exported = (format: string) => join(run, "model", format)
    const link = (format: string) => cpSync(shared.model, exported(format), { recursive: true })
    writeFileSync(join(run, "run.json"), "{}")
    link("fake-quant")
    assert.strictEqual((await ask(run)).model, exported("fake-quant"))
    link("hf")
    const { message } = await fails(["chat", run, "?", ...native])
    assert.include(message, `its models are ${exported("fake-quant")}, ${exported("hf")}`)
    link("packed")
    assert.strictEqual((await ask(run)).model, exported("packed"))
    const evaluation = ["--data", short, "--benchmark", "nano", "--limit", "2", "--out", join(run, "e"), ...native]
    await works(["evaluate", run, ...evaluation])
    assert.isNotEmpty(readdirSync(join(run, "e")).filter((name) => name.startsWith(`${basename(run)}-packed`)))
  })

  it("talks over standard input where no question is given", async () => {
    const lines = [
      `/image '${image(1)}'`,
      "What is this?",
      "/image none.png",
      "",
      "/sing",
      "Sure?",
      "/reset",
      "/exit",
      "unread"
    ]
    const args = ["chat", shared.model, "--max-new-tokens", "6", ...native]
    const { code, stdout, stderr } = await speedqProcess(args, { stdin: lines.join("\n") })
    // Nobody watches a pipe.
    assert.strictEqual(code, 1, stderr)
    assert.include(stderr, "2 lines were not done, for the reasons above; the others were")
    const once = await json([
      "chat",
      shared.model,
      "What is this?",
      "--image",
      image(1),
      "--max-new-tokens",
      "6",
      ...native
    ])
    assert.strictEqual(stdout.split("\n")[0]!.trim(), (once as Answered).answer.split("\n")[0]!.trim())
    assert.include(stderr, `the next question is about ${image(1)}`)
    assert.include(stderr, "none.png")
    assert.include(stderr, "/sing is no command; a question that begins with / is written with two")
    assert.include(stderr, "2 questions, answers and pictures are forgotten")
    assert.strictEqual(stderr.match(/\/image FILE adds a picture/g)!.length, 2)
  })

  it("refuses --json without a question", async () => {
    const { message } = await fails(["chat", shared.model, "--json", ...native], 2)
    assert.include(message, "--json needs a question; a conversation is text")
  })

  it("and evaluate say of a run which models it has", async () => {
    const run = temporaryDirectory()
    writeFileSync(join(run, "run.json"), "{}")
    const commands = [
      ["chat", run, "?"],
      ["evaluate", run, "--data", "d.tsv", "--benchmark", "nano", "--out", join(run, "e")]
    ]
    for (const args of commands) {
      const { message } = await fails([...args, ...native])
      const advice = `it has exported none; "speedq export ${run} --format packed" writes one`
      assert.strictEqual(message, `${run} is a run, not a model; ${advice}`)
    }
    // One that is being written has no config yet.
    mkdirSync(join(run, "model", "packed"), { recursive: true })
    assert.include((await fails([...commands[0]!, ...native])).message, "it has exported none")
  })
})

describe("speedq export", () => {
  it("writes what a run made, and unpacks it again without a change", async () => {
    const [packed, whole] = [join(shared.directory, "packed"), join(shared.directory, "whole")]
    const exportInto = async (out: string, ...args: readonly string[]) =>
      (await json(["export", ...args, "--out", out, ...native])) as Exported
    const first = await exportInto(packed, shared.run, "--format", "packed")
    const idle = await fails(["export", packed, "--format", "packed", "--dtype", "f32", "--out", whole, ...native])
    assert.include(idle.message, 'options of export format "packed": dtype: Unexpected key; there are no options')
    assert.deepInclude(first, { format: "packed", exact: true, maxAbsErr: 0, layersFallenBack: [] })
    assert.isBelow(first.bitsPerWeight, 8)
    assert.deepInclude(await exportInto(whole, packed, "--format", "fake-quant", "--dtype", "f32"), {
      exact: true,
      maxAbsErr: 0
    })
    const answers = [packed, whole].map(
      async (model) =>
        (await json(["chat", model, "?", "--image", image(3), "--max-new-tokens", "8", ...native])) as Answered
    )
    assert.strictEqual((await answers[0]!).answer, (await answers[1]!).answer)

    // Compared with its digests, it answers; damaged, nothing is asked.
    const questions = [
      "--data",
      short,
      "--benchmark",
      "nano",
      "--limit",
      "1",
      "--out",
      join(shared.directory, "verified")
    ]
    const commands = [
      ["chat", packed, "?", "--max-new-tokens", "1"],
      ["evaluate", packed, ...questions]
    ].map((command) => [...command, "--verify", ...native])
    for (const command of commands) await works(command)
    appendFileSync(join(packed, "merges.txt"), "\n")
    for (const command of commands) {
      const { message } = await fails(command)
      assert.match(
        message,
        /packed is not what was exported; .*\n {2}merges\.txt: its SHA-256 is [0-9a-f]{64}, that of/
      )
    }
  })

  it("begins anew where an earlier one was killed", async () => {
    const out = join(temporaryDirectory(), "killed")
    const staged = join(out, ".unfinished.99999999-0-0.tmp")
    mkdirSync(staged, { recursive: true })
    writeFileSync(join(staged, "config.json"), "{")
    await works(["export", shared.run, "--format", "packed", "--out", out, ...native])
    assert.isTrue(readdirSync(out).every((name) => !name.startsWith(".")))
  })

  it("writes into a run's own directory, once", async () => {
    const args = ["export", shared.run, "--format", "fake-quant", ...native]
    const { code, stdout, stderr } = await speedq(args)
    assert.strictEqual(code, 0, stderr)
    assert.match(
      stdout,
      /run\/model\/fake-quant: fake-quant\n.* of weights, .* bits per parameter; .* on disk, .*\nNumbers differ by \d.*\nLayers .*: none\./
    )
    assert.isTrue(existsSync(join(shared.run, "model", "fake-quant", "quantization.json")))
    const second = await speedq(args)
    assert.strictEqual(second.code, 1)
    assert.match(second.stderr, /is not empty/)
  })

  it("says why there is nothing to export", async () => {
    const { code, stderr } = await speedq(["export", shared.model, "--format", "packed", ...native])
    assert.strictEqual(code, 1)
    assert.match(
      stderr,
      /cannot be exported: it is neither a run nor a packed model, and it does not hold the reference's artefacts/
    )
  })
})

/** Arguments that ask the shared model the short questions, with answers in `out`. */
const evaluating = (out: string): readonly string[] => [
  ...["evaluate", shared.model, "--data", short, "--benchmark", "nano"],
  ...["--out", out, "--name", "m", ...native]
]

describe("speedq evaluate --shard and merge", () => {
  const asked = ["--data", short, "--benchmark", "nano", "--limit", "7", "--name", "m", "--format", "tsv"]
  interface Files {
    readonly overall: number
    readonly predictionsFile: string
    readonly scoreFile: string
    readonly resultFile: string
  }

  it("write what one process writes", async () => {
    const [whole, parts] = [temporaryDirectory(), temporaryDirectory()]
    const once = (await json(["evaluate", shared.model, ...asked, "--out", whole, ...native])) as Files
    for (const shard of ["1/2", "2/2"]) {
      const args = ["evaluate", shared.model, ...asked, "--shard", shard, "--out", parts, ...native]
      const done = (await json(args)) as { readonly answered: number; readonly rows: number }
      assert.deepInclude(done, { answered: shard === "1/2" ? 4 : 3, rows: 7 })
      if (shard === "1/2") {
        const { message } = await fails(["merge", parts, ...asked])
        assert.match(message, /3 of 7 rows have no answer in these journals: index /)
      }
    }
    const merged = (await json(["merge", parts, ...asked])) as Files
    assert.strictEqual(merged.overall, once.overall)
    for (const file of ["predictionsFile", "scoreFile", "resultFile"] as const) {
      assert.strictEqual(readFileSync(merged[file], "utf8"), readFileSync(once[file], "utf8"), file)
    }
    // The only name of the shards is meant where none is given.
    const unnamed = asked.filter((word) => word !== "--name" && word !== "m")
    assert.strictEqual(((await json(["merge", parts, ...unnamed])) as Files).overall, once.overall)
  })

  it("refuse a shard that is none, and a directory without any", async () => {
    for (const shard of ["0/2", "3/2", "2", "a/b", "1/2/3"]) {
      const { message } = await fails(["evaluate", shared.model, ...asked, "--shard", shard, ...native], 2)
      assert.include(message, `"${shard}" is no shard; write one as 2/3, from 1/3 to 3/3`)
    }
    const empty = temporaryDirectory()
    const { message } = await fails(["merge", empty, ...asked])
    assert.include(
      message,
      `${empty} has no answers of shards on nano; "speedq evaluate MODEL --shard 1/2 --out ${empty}"`
    )
  })
})

describe("speedq evaluate", () => {
  it("asks, writes, scores, and continues with the rows that are left", async () => {
    const out = join(temporaryDirectory(), "out")
    const args = evaluating(out)
    const two = (await json([...args, "--limit", "2", "--format", "tsv"])) as {
      readonly rows: readonly unknown[]
      readonly predictionsFile: string
      readonly published: boolean | null
    }
    assert.lengthOf(two.rows, 2)
    assert.strictEqual(two.predictionsFile, join(out, "m_nano_first2.tsv"))
    assert.isNull(two.published)

    const four = await speedq([...args, "--limit", "4", "--format", "tsv"])
    assert.strictEqual(four.code, 0, four.stderr)
    assert.match(four.stderr, /nano: continuing after row 2 of 4/)
    assert.match(four.stdout, /^nano {2}\d+\.\d\d % /)

    // The pictures of these answers were another's: the journal is not continued.
    const stored = await speedq([...args, "--limit", "1", "--image-store", "jpeg75"])
    assert.strictEqual(stored.code, 1)
    assert.match(stored.stderr, /jpeg75/)

    const predictions = join(out, "m_nano_first4.tsv")
    const scored = await speedq(["score", predictions, "--data", short, "--benchmark", "nano", "--partial"])
    assert.strictEqual(scored.stdout, four.stdout)
  })

  it("lets one process at a time write into a directory", async () => {
    const out = join(temporaryDirectory(), "out")
    const args = evaluating(out)
    const lock = join(out, "run.lock")
    mkdirSync(out)
    const refused = await Effect.runPromise(
      Effect.andThen(
        acquireLock(out),
        Effect.promise(() => speedq([...args, "--limit", "1"]))
      ).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
    )
    assert.strictEqual(refused.code, 1)
    assert.include(refused.stderr, `error: ${out} is being written by process ${process.pid}`)
    assert.isEmpty(readdirSync(out))

    // Another one takes the lock away while the model is opened.
    const robbed = speedq([...args, "--limit", "2"])
    while (!existsSync(lock)) await new Promise(setImmediate)
    writeFileSync(lock, readFileSync(lock, "utf8").replace(/"token":"[^"]*"/, '"token":"another"'))
    assert.match((await robbed).stderr, /row 1 .*: not answered: .*no longer belongs to this process/)
    assert.strictEqual(readFileSync(join(out, "m_nano.journal.jsonl"), "utf8").trim().split("\n").length, 1)
    rmSync(lock)

    assert.strictEqual((await speedq([...args, "--limit", "1"])).code, 0)
    assert.isFalse(existsSync(lock))

    // What a kill tore, and a question that changed, are told.
    appendFileSync(join(out, "m_nano.journal.jsonl"), '{"index":')
    const changed = join(out, "short.tsv")
    writeFileSync(changed, readFileSync(short, "utf8").replace("What color is the south", "What color is the north"))
    const { stderr } = await speedq(args.map((each) => (each === short ? changed : each)).concat("--limit", "1"))
    assert.match(stderr, /1 damaged or torn lines of .*journal\.jsonl are left out/)
    assert.include(stderr, `${changed} changed: 0 answers stand, 1 rows changed and are asked again\n`)
  })

  it("stops at a row that cannot be read, and keeps what was answered", async () => {
    const directory = temporaryDirectory()
    const data = join(directory, "data.tsv")
    const [header = "", first = ""] = readFileSync(short, "utf8").split("\n")
    writeFileSync(data, `${header}\n${first}\n`)
    const broken = first.split("\t")
    broken[0] = "999"
    broken[broken.length - 1] = Buffer.from("x".repeat(100)).toString("base64")
    appendFileSync(data, `${broken.join("\t")}\n`)
    const out = join(directory, "out")
    const { code, stderr } = await speedq([
      "evaluate",
      shared.model,
      "--data",
      data,
      "--benchmark",
      "nano",
      "--out",
      out,
      "--name",
      "m",
      ...native
    ])
    assert.strictEqual(code, 1)
    assert.match(stderr, /data\.tsv, row 2 \(index 999\)/)
    assert.match(readFileSync(join(out, "m_nano.journal.jsonl"), "utf8"), /"index":"0"/)
  })
})
