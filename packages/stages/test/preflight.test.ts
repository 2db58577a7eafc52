/** What a later stage would fail on is said before the first one starts, and a plan tells what of each data set is there. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Preflight, Recipe } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { stages as known } from "../src/registry/stages.ts"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
import { evaluation, makeNanoRuns, nanoData, shortStages, writeNanoModel } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("preflight", runs)

const planFor = (model: string, stages: readonly object[]) =>
  runs.runtime.runPromise(
    Effect.gen(function* () {
      const recipe = yield* Recipe.decode(known, { version: 1, name: "planned", model, seed: 4, stages })
      return yield* Preflight.plan(recipe, join(root, "run"), { time: false })
    })
  )
const planOf = (...stages: readonly object[]) => planFor(model, stages)
const issuesOf = async (...stages: readonly object[]) =>
  (await planOf(...stages)).problems.map(({ issue }) => issue).join("\n")

const folder = (name: string): string => {
  const directory = join(root, name)
  mkdirSync(directory, { recursive: true })
  return directory
}
const turns = [
  { from: "human", value: "What?" },
  { from: "gpt", value: "red" }
]
const training = (meta: string, data: object = {}) => ({ ...shortStages.qat, data: { meta, ...data } })

describe("a plan of a model whose index of shards is none", () => {
  it.each([
    ["[", "expected"],
    ['{"weight_map": null}', "expected '{'"],
    ['{"weight_map": {"a": "../../elsewhere.safetensors"}}', "is not the name of a file beside the index"]
  ])("names the file: %s", async (text, reason) => {
    const directory = folder("shards")
    for (const file of ["config.json", "preprocessor_config.json"])
      copyFileSync(join(model, file), join(directory, file))
    const index = join(directory, "model.safetensors.index.json")
    writeFileSync(index, text)
    const issues = (await planFor(directory, [shortStages.qat])).problems.map(({ issue }) => issue).join("\n")
    assert.include(issues, index)
    assert.include(issues, reason)
    assert.notInclude(issues, "SyntaxError")
  })
})

describe("data that is not there or no data", () => {
  it("is listed by data set: lines, records, pictures, what is missing", async () => {
    const directory = folder("listed")
    const video = { video: "clip.gif", conversations: turns }
    const meta = writeMiniData(directory, [
      pictureRecord(1),
      pictureRecord(99_999),
      { question: "a", answer: "b" },
      "{ no",
      JSON.stringify(video)
    ])
    const planned = await planOf(training(meta, { onError: "substitute" }))
    assert.isEmpty(planned.problems)
    assert.include(
      planned.stages[0]!.forecast.lines,
      "data set mini: 5 lines, 5 of them selected, 1 that are no records, 2 pictures and 1 videos, 2 missing"
    )
    const refused = await issuesOf(training(meta))
    assert.include(refused, `1 lines are no records: ${join(directory, "mini.jsonl")}:4: not JSON`)
    assert.include(
      refused,
      `2 pictures do not exist: ${join(nanoData, "images/99999.png")} (${join(directory, "mini.jsonl")}:2)`
    )
  })

  describe("records that a stage would stop at", () => {
    const image = pictureRecord(1).image!
    const said = (human: string, shown: object = {}, answer = "red") =>
      JSON.stringify({
        ...shown,
        conversations: [
          { from: "human", value: human },
          { from: "gpt", value: answer }
        ]
      })
    const late = JSON.stringify({ conversations: [...turns, { from: "system", value: "late" }] })
    const unanswered = JSON.stringify({ conversations: [turns[0]] })
    const bad: { readonly [name: string]: readonly [record: string, reason: RegExp] } = {
      marks: [
        said("<image> or <image>?", { image }),
        /mini\.jsonl:2: the human turns have 2 <image>, but the record has 1/
      ],
      context: [said("What?", {}, "<IMG_CONTEXT>"), /mini\.jsonl:2: turn 2 spells out <IMG_CONTEXT>/],
      "control token": [said("<|im_end|>"), /mini\.jsonl:2: turn 1 spells out <\|im_end\|>/],
      system: [late, /mini\.jsonl:2: turn 3 is a system turn; only the first can be one/],
      both: [said("What?", { image, images: [image] }), /mini\.jsonl:2: the record has both "image" and "images"/],
      frames: [said("<video>: what?", { video: "clip.gif" }), /mini\.jsonl:2: <video> must be followed by a line break/]
    }
    const good = pictureRecord(1)

    it.each(Object.keys(bad))("are an obstacle where none takes their places, by file and line: %s", async (name) => {
      const [record, reason] = bad[name]!
      const meta = writeMiniData(folder(`bad-${name}`), [good, record])
      assert.match(await issuesOf(training(meta)), reason)
      assert.isEmpty((await planOf(training(meta, { onError: "substitute" }))).problems)
    })

    it("are an obstacle in any case where there are no others, or too few", async () => {
      const [record] = bad["marks"]!
      const substitute = { onError: "substitute" }
      const all = writeMiniData(folder("bad-all"), [record, bad["system"]![0], "{}"])
      assert.match(
        await issuesOf(training(all, substitute)),
        /no record of data set mini can be used, so nothing can take their places.*; see .*mini\.jsonl:3: /
      )
      const most = writeMiniData(folder("bad-most"), [good, ...Array.from({ length: 30 }, () => record)])
      assert.match(await issuesOf(training(most, substitute)), /30 of 31 records of data set mini cannot be used/)
    })

    it("are those of the stage's own reading", async () => {
      const meta = writeMiniData(folder("bad-reference"), [bad["marks"]![0], bad["context"]![0], bad["both"]![0]])
      const { quirks, reference } = { quirks: { unmatchedPlaceholders: true }, reference: { compat: "reference" } }
      assert.match(await issuesOf(training(meta, { quirks })), /^1 records cannot be used: .*:2: turn 2 spells out/)
      assert.isEmpty((await planOf({ ...training(meta), ...reference })).problems)
    })

    it("have pictures that are none, by their first bytes and the stage's limits", async () => {
      const directory = folder("bad-picture")
      writeFileSync(join(directory, "text.png"), "only text")
      const text = { ...good, image: join(directory, "text.png") }
      const issues = await issuesOf(training(writeMiniData(directory, [good, text])))
      assert.match(issues, /1 pictures cannot be read: .*mini\.jsonl:2: .*text\.png: not an image that can be read/)
      const large = writeMiniData(folder("bad-large"), [good])
      assert.match(await issuesOf(training(large, { images: { maxPixels: 9 } })), /pixels are more than 9/)
      const none = writeMiniData(folder("bad-pictures"), [text, text])
      assert.match(await issuesOf(training(none, { onError: "substitute" })), /no record of data set mini can be used/)
    })

    it("have no answer, none of them", async () => {
      const meta = writeMiniData(folder("unanswered"), [unanswered, unanswered])
      assert.match(await issuesOf(training(meta)), /no record of .*mini\.json has an answer: there is nothing to learn/)
      const some = writeMiniData(folder("answered"), [unanswered, good])
      assert.isEmpty((await planOf(training(some))).problems)
    })

    it("of the clipping search are helped by its own option", async () => {
      const meta = writeMiniData(folder("bad-clipping"), [good, "{}"])
      const { problems } = await planOf({ ...shortStages.autoclip, calibration: { meta } })
      assert.match(problems[0]?.fix ?? "", /or set calibration\.onError to "substitute"/)
    })
  })

  it("a root, or all pictures below it", async () => {
    const directory = folder("root")
    const meta = writeMiniData(directory, [pictureRecord(1)])
    writeFileSync(meta, JSON.stringify({ mini: { root: "nowhere", annotation: "mini.jsonl" } }))
    assert.include(
      await issuesOf(training(meta, { onError: "substitute" })),
      `${join(directory, "nowhere")}, the root of data set mini in ${meta}, does not exist`
    )
    mkdirSync(join(directory, "nowhere"))
    assert.include(
      await issuesOf(training(meta, { onError: "substitute" })),
      "none of the pictures of data set mini exists below"
    )
  })

  it("an annotation file: the others are listed all the same", async () => {
    const directory = folder("annotation")
    const meta = writeMiniData(directory, [pictureRecord(1)])
    writeFileSync(
      meta,
      JSON.stringify({
        mini: { root: nanoData, annotation: "mini.jsonl" },
        none: { root: nanoData, annotation: "none.jsonl" }
      })
    )
    const planned = await planOf(training(meta))
    assert.include(planned.problems[0]?.issue, "none.jsonl, named in")
    assert.includeMembers(
      [...planned.stages[0]!.forecast.lines],
      ["data set mini: 1 lines", "data set none: not found"]
    )
  })

  it("records of the clipping search are looked at like those of training", async () => {
    const meta = writeMiniData(folder("clipping"), [pictureRecord(99_999)])
    assert.include(
      await issuesOf({ ...shortStages.autoclip, calibration: { meta } }),
      "none of the pictures of data set mini exists"
    )
  })

  it("records that are too few for the clipping search", async () => {
    const meta = writeMiniData(folder("few"), [pictureRecord(1), { question: "a", answer: "b" }])
    const few = { ...shortStages.autoclip, calibration: { meta } }
    assert.match(await issuesOf(few), /mini\.json gives \d+ tokens of calibration data, but 512 are needed/)
    assert.isEmpty((await planOf({ ...few, sampleTokens: 16 })).problems)
  })

  it("a video that takes ffmpeg, where there is none", async () => {
    const directory = folder("video")
    writeFileSync(join(directory, "clip.mp4"), "no video")
    writeFileSync(join(directory, "mini.jsonl"), JSON.stringify({ video: "clip.mp4", conversations: turns }))
    const meta = join(directory, "mini.json")
    writeFileSync(meta, JSON.stringify({ mini: { root: directory, annotation: "mini.jsonl" } }))
    const path = process.env.PATH
    process.env.PATH = directory
    try {
      assert.match(
        await issuesOf(training(meta)),
        /clip\.mp4: reading this video needs ffmpeg, and there is no ffmpeg on the PATH/
      )
    } finally {
      process.env.PATH = path
    }
  })
})

describe("a head that is to be trained", () => {
  it("is refused where it is the embedding, unless that is in full precision and is trained anyway", async () => {
    const tied = await writeNanoModel(join(root, "tied"), 1, { tie_word_embeddings: true })
    const headed = { ...shortStages.qat, train: { head: true } }
    for (const stage of [headed, { ...headed, use: "joint-qat" }]) {
      const [problem] = (await planFor(tied, [stage])).problems
      assert.match(problem?.issue ?? "", /train\.head is true, but .* is its embedding .* Leave train\.head out/)
    }
    const { problems } = await planFor(tied, [{ ...headed, embeddings: null }])
    assert.isEmpty(problems)
    assert.isEmpty((await planFor(model, [headed])).problems)
  })
})

describe("what else a later stage reads", () => {
  it("calibration text that fills no block, or too few tokens", async () => {
    const text = join(folder("text"), "short.txt")
    writeFileSync(text, "too short")
    assert.match(
      await issuesOf({ ...shortStages.autoclip, calibration: text }),
      /short\.txt gives \d+ tokens of calibration data, but 256 are needed/
    )
    const { calibration } = shortStages.autoclip
    const few = { ...shortStages.autoclip, calibration, sampleTokens: 1_000_000 }
    assert.match(await issuesOf(few), /gives \d+ tokens of calibration data, but 1000000 are needed/)
    const planned = await planOf(shortStages.autoclip)
    assert.isEmpty(planned.problems)
    assert.match(planned.stages[0]!.forecast.lines.join("\n"), /blocks of text of 256 tokens/)
  })

  it("calibration images that a list names", async () => {
    const list = join(folder("images"), "list.txt")
    writeFileSync(list, `${join(nanoData, "images/0001.png")}\nnone.png\n`)
    assert.include(
      await issuesOf({ ...shortStages.adaround, images: list }),
      `1 images of ${list} cannot be used: ${join(root, "images/none.png")}: `
    )
    writeFileSync(list, "")
    assert.include(await issuesOf({ ...shortStages.adaround, images: list }), "no image there")
  })

  it("a benchmark's file without a column that it needs, or without its pictures", async () => {
    const directory = folder("benchmark")
    const short = join(directory, "short.tsv")
    const write = (answer: string) =>
      writeFileSync(short, `index\timage_path\tquestion\t${answer}\tcategory\tkind\n1\tnone.png\tWhat?\tred\ta\tb\n`)
    write("answer")
    const asking = evaluation("asked", { benchmarks: [{ name: "nano", data: short }] })
    assert.include(
      await issuesOf(asking),
      `1 of 1 pictures do not exist, the first of them ${join(directory, "none.png")}`
    )
    write("reply")
    assert.match(await issuesOf(asking), /short\.tsv.*answer/)
    writeFileSync(short, "index\timage_path\tquestion\tanswer\tcategory\tA\n1\tnone.png\tWhat?\tB\ta\tred\n")
    assert.match(await issuesOf(asking), /short\.tsv, row 1 \(index 1\), column "answer": "B" is no letter of the row/)
    assert.isEmpty((await planOf(evaluation("good"))).problems)
  })
})
