/** The micro data set: seeds decide everything, splits are disjoint, answers are right, pictures show them, benchmarks read the rows. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Answerer, benchmarkNamed, evaluate, paperAverage } from "@speedq/evaluation"
import { Random } from "@speedq/tensors"
import {
  decodeModelConfig,
  imagenetStatistics,
  imageTiles,
  makeTokenizer,
  parameterCount,
  resize
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { encodePng } from "../data/common/encodePng.ts"
import { tsv } from "../data/common/evaluation.ts"
import { languages } from "../data/common/Task.ts"
import { makeVocabulary } from "../data/common/vocabulary.ts"
import { benchmarkFiles } from "../data/micro/generator/benchmarks.ts"
import { evaluationSets, trainingPicture, trainingSamples } from "../data/micro/generator/dataset.ts"
import {
  answerText,
  conversation,
  dataSetWords,
  evaluatedTypes,
  makeSample,
  makeScene,
  mixtures,
  modelConfig,
  promptText,
  question,
  renderScene,
  type Scene,
  sceneKey,
  shownTiles,
  splitOf,
  taskTypes,
  tileSize
} from "../data/micro/generator/index.ts"
import { answerOf } from "./micro/answerOf.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-micro-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const everything = mixtures.everything
const evaluation = { sets: evaluationSets(1, "evaluation"), files: benchmarkFiles(1, "evaluation") }
const heldOut = { sets: evaluationSets(1, "held-out"), files: benchmarkFiles(1, "held-out") }
const samplesOf = (count: number, stream: string, seed = 5) => {
  const random = Random.make(seed, stream)
  return Array.from({ length: count }, (_, i) => makeSample(random, i % 2 === 0 ? everything : mixtures.shipped))
}
const tilesOf = (scene: Scene, factor = 1) => {
  const image = renderScene(scene)
  const shown = factor === 1 ? image : resize(image, factor * image.width, factor * image.height, "bilinear")
  return imageTiles(shown, {
    ...{ tileSize, minTiles: 1, maxTiles: 12, thumbnail: true, dynamic: true, padToSquare: false },
    statistics: imagenetStatistics
  })
}

describe("micro's scenes", () => {
  it("are the same for the same seed, and others for another", () => {
    const run = (seed: number) =>
      samplesOf(20, "determinism", seed).map((sample) => [
        conversation(sample),
        Buffer.from(renderScene(sample.scene).data).toString("base64")
      ])
    const first = run(3)
    assert.deepStrictEqual(run(3), first)
    assert.notDeepEqual(run(4), first)
  })

  it("of training, evaluation and the held-out half are never the same", () => {
    const training = samplesOf(2000, "disjoint").map(({ scene }) => scene)
    assert.isTrue(training.every((scene) => splitOf(scene) === "train"))
    const keys = new Set(training.map(sceneKey))
    for (const [split, { sets, files }] of Object.entries({ evaluation, "held-out": heldOut })) {
      const asked = Object.values(sets).flatMap((items) => items.map(({ scene }) => scene))
      const shown = files.flatMap(({ rows }) => rows.map(({ scene }) => scene))
      for (const scene of [...asked, ...shown]) {
        assert.strictEqual(splitOf(scene), split)
        assert.isFalse(keys.has(sceneKey(scene)))
      }
      assert.isAbove(new Set(asked.map(sceneKey)).size, 0.99 * asked.length, "scenes hardly repeat")
    }
  })
})

describe("micro's pictures", () => {
  const scenes = samplesOf(300, "pictures").map(({ scene }) => scene)

  it("of two tiles have a thumbnail, and every picture is one of two tiles or more when enlarged", () => {
    for (const scene of scenes) {
      const { count, data } = tilesOf(scene)
      assert.strictEqual(count, scene.layout === "single" ? 1 : 3)
      assert.strictEqual(count, shownTiles(scene.layout))
      // The grid's tiles are the drawn pixels: nothing is scaled but the thumbnail.
      if (scene.layout === "tall")
        assert.isTrue(Buffer.from(renderScene(scene).data).equals(data.subarray(0, 2 * tileSize * tileSize * 3)))
    }
    assert.strictEqual(tilesOf(scenes.find(({ layout }) => layout === "single")!, 2).count, 5)
    assert.sameMembers([...new Set(scenes.map(({ layout }) => layout))], ["single", "wide", "tall"])
  })

  it("of the training set are twice as large where they have one tile, every eighth of them", () => {
    const widths = trainingSamples(1, 64).map((sample, index) => ({
      ratio: trainingPicture(sample, index).width / renderScene(sample.scene).width,
      isLarge: index % 8 === 7 && sample.scene.layout === "single"
    }))
    for (const { ratio, isLarge } of widths) assert.strictEqual(ratio, isLarge ? 2 : 1)
    assert.isTrue(widths.some(({ isLarge }) => isLarge))
  })

  it("show in each cell what the scene says, and nothing elsewhere", () => {
    for (const scene of scenes.filter(({ layout }) => layout !== "wide")) {
      const { data, width } = renderScene(scene)
      for (const [at, cell] of scene.cells.entries()) {
        const ink: Array<readonly [x: number, y: number, color: ReadonlyArray<number>]> = []
        for (let y = 0; y < 28; y++) {
          for (let x = 0; x < 28; x++) {
            const pixel = ((Math.floor(at / 3) * 28 + y) * width + (at % 3) * 28 + x) * 3
            const color = [...data.subarray(pixel, pixel + 3)]
            if (color.some((value, c) => value !== scene.look.background[c])) ink.push([x, y, color])
          }
        }
        const reddish = ink.filter(([, , [r = 0, g = 0, b = 0]]) => r > 180 && g < 90 && b < 90)
        if (cell === undefined) assert.strictEqual(ink.length, 0)
        else if (cell.kind === "big") assert.strictEqual(reddish.length > 20, cell.color === "red")
        else if (cell.kind === "pair") {
          assert.strictEqual(reddish.filter(([x]) => x < 14).length > 5, cell.left.color === "red")
          assert.strictEqual(reddish.filter(([x]) => x >= 14).length > 5, cell.right.color === "red")
        } else if (cell.kind === "dots") {
          // Every dot stays in its own sixteenth of the cell.
          const sixteenths = ink.map(([x, y]) => 4 * Math.floor(y / 7) + Math.floor(x / 7))
          assert.strictEqual(new Set(sixteenths).size, cell.count)
        } else {
          assert.isTrue(
            ink.every(([, , color]) => Math.max(...color) < 60),
            "text is dark and has no soft edges"
          )
          const columns = ink.map(([x]) => x)
          const spread = Math.max(...columns) - Math.min(...columns) + 1
          assert.strictEqual(Math.ceil(spread / 7), cell.text.length)
        }
      }
    }
  })
})

describe("micro's answers", () => {
  it("are what an independent reading of question and scene gives", () => {
    const random = Random.make(9, "answers")
    const checked = new Map<string, number>()
    for (let i = 0; i < 1200; i++) {
      const scene = makeScene(random, everything, i % 2 === 0 ? "train" : "evaluation")
      for (const type of taskTypes) {
        for (const language of languages) {
          const found = question(scene, type, language, random, { options: 2 + (i % 3) })
          if (found === undefined) continue
          assert.strictEqual(
            found.answer,
            answerOf(found.text, found.options, scene),
            `${found.text} ${sceneKey(scene)}`
          )
          checked.set(`${type} ${language}`, (checked.get(`${type} ${language}`) ?? 0) + 1)
        }
      }
    }
    for (const type of taskTypes)
      for (const language of languages) assert.isAbove(checked.get(`${type} ${language}`) ?? 0, 200, type)
  })

  it("of a type and language are never more than 55 % the same in the evaluation sets", () => {
    const { short, caption } = evaluation.sets
    for (const type of [...evaluatedTypes, "caption" as const]) {
      for (const language of languages) {
        const answers = [...short, ...caption].flatMap(({ question: asked }) =>
          asked.type === type && asked.language === language ? [asked.answer] : []
        )
        const most = Math.max(...answers.map((answer) => answers.filter((other) => other === answer).length))
        assert.isAtLeast(answers.length, 50)
        assert.isAtMost(most / answers.length, 0.55, type)
      }
    }
  })
})

describe("micro's text", () => {
  const parts = makeVocabulary(dataSetWords())
  const load = Effect.runPromise(makeTokenizer(parts, "micro"))

  it("is read back, and captions have 20 tokens and more", async () => {
    const tokenizer = await load
    const lengths: Array<number> = []
    for (const sample of samplesOf(500, "text")) {
      for (const { value } of conversation(sample)) assert.strictEqual(tokenizer.decode(tokenizer.encode(value)), value)
      for (const { question: asked, style } of sample.turns)
        if (asked.type === "caption") lengths.push(tokenizer.encode(answerText(asked, style)).length)
    }
    assert.isAtLeast(Math.min(...lengths), 16)
    assert.isAtLeast(lengths.filter((length) => length >= 20).length, 0.95 * lengths.length)
  })

  it("has a word for everything: no English word takes more than one token", async () => {
    const tokenizer = await load
    for (const { turns } of samplesOf(500, "words")) {
      for (const { question: asked, style } of turns) {
        if (asked.language === "zh") continue
        for (const word of promptText(asked, style).match(/ [a-z]+/g) ?? [])
          assert.strictEqual(tokenizer.encode(word).length, 1, word)
      }
    }
  })

  it("fits a model of three to four million parameters, under 20 MB in bf16", () => {
    const config = decodeModelConfig(
      modelConfig(parts.vocabulary.size + parts.addedTokens.length, parts.vocabulary.size),
      "config.json"
    )
    assert.isAtLeast(parameterCount(config), 3e6)
    assert.isAtMost(parameterCount(config), 4e6)
  })
})

describe("micro in the formats of the nine benchmarks", () => {
  const { files } = evaluation

  it("is asked in forms that training has, and a model that is always right gets the full score", async () => {
    const scores = await Promise.all(
      files.map(async ({ name, columns, rows }) => {
        // A picture of each layout is enough; the same ones are shown again and again.
        const some = rows.slice(0, 12)
        const images = await Promise.all(
          some.map(async ({ scene }) => (await encodePng(renderScene(scene))).toString("base64"))
        )
        const data = join(root, `${name}.tsv`)
        writeFileSync(
          data,
          tsv(
            [...columns, "image"],
            some.map(({ cells }, i) => ({ ...cells, image: images[i]! }))
          )
        )
        const cellsOf = new Map(some.map(({ cells }) => [cells["index"]!, cells]))
        const asked: Array<string> = []
        const answerer = Answerer.of({
          model: "right",
          answer: ({ index, prompt }) =>
            Effect.sync(() => {
              asked.push(prompt)
              return cellsOf.get(index)!["answer"]!.replaceAll(/[[\]']/g, "")
            })
        })
        const benchmark = await Effect.runPromise(benchmarkNamed(name))
        const { score } = await Effect.runPromise(
          evaluate(benchmark, { data, out: join(root, name), name: "right" }).pipe(
            Effect.provideService(Answerer, answerer)
          )
        )
        assert.strictEqual(asked.length, some.length)
        for (const prompt of asked)
          assert.match(
            prompt,
            /(directly\.|word or phrase\.|请直接回答选项字母。)$/,
            "an instruction that the teacher is trained with"
          )
        return { benchmark: name, overall: score.overall }
      })
    )
    assert.strictEqual(files.length, 9)
    assert.strictEqual(paperAverage(scores), 100)
    assert.strictEqual(scores.find(({ benchmark }) => benchmark === "OCRBench")!.overall, 12)
  })

  it("turns the options of a question of MMBench, and the right letter with them", () => {
    const { rows } = files.find(({ name }) => name === "MMBench_DEV_CN_V11")!
    const turns = rows.slice(0, 4).map(({ cells }) => cells)
    assert.sameMembers(
      turns.map(({ answer }) => answer),
      ["A", "B", "C", "D"]
    )
    assert.strictEqual(new Set(turns.map((cells) => cells[cells["answer"]!])).size, 1)
    assert.strictEqual(new Set(turns.map(({ index }) => Number(index) % 1_000_000)).size, 1)
  })
})
