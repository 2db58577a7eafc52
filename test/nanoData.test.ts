/** The nano data set: shipped files equal the generator's, splits are disjoint, answers are right and balanced, every word is a token. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Random } from "@speedq/tensors"
import { loadTokenizer, pieceEnd } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import sharp from "sharp"
import { encodePng } from "../data/common/encodePng.ts"
import { evaluationTsv } from "../data/common/evaluation.ts"
import type { PromptStyle } from "../data/common/questions.ts"
import { choiceLetters } from "../data/common/Task.ts"
import { makeVocabulary } from "../data/common/vocabulary.ts"
import {
  answerText,
  calibrationImageNames,
  calibrationTexts,
  conversation,
  dataSetWords,
  evaluatedTypes,
  evaluationSets,
  hanzi,
  imageSize,
  makeSample,
  makeScene,
  mixtures,
  modelConfig,
  promptText,
  question,
  renderScene,
  type Scene,
  sceneKey,
  shippedSeed,
  splitOf,
  type TaskType,
  taskTypes,
  trainingRecords,
  trainingSamples
} from "../data/nano/generator/index.ts"
import { answerOf } from "./nano/answerOf.ts"

const nano = (name: string): string => fileURLToPath(new URL(`../data/nano/${name}`, import.meta.url))
const text = (name: string): string => readFileSync(nano(name), "utf8")
const languages = ["en", "zh"] as const
const samplesOf = (count: number, stream: string) => {
  const random = Random.make(5, stream)
  return Array.from({ length: count }, (_, i) =>
    makeSample(random, i % 2 === 0 ? mixtures.everything : mixtures.shipped)
  )
}

/** A reader of quoted TSV of its own: the shipped one writes, this one reads. */
const readTsv = (content: string): ReadonlyArray<Readonly<Record<string, string>>> => {
  const rows: Array<Array<string>> = [[""]]
  let quoted = false
  for (let i = 0; i < content.length; i++) {
    const row = rows.at(-1)!
    const character = content[i]!
    if (character === '"' && quoted && content[i + 1] === '"') row[row.length - 1] += content[++i]!
    else if (character === '"') quoted = !quoted
    else if (character === "\t" && !quoted) row.push("")
    else if (character === "\n" && !quoted) rows.push([""])
    else row[row.length - 1] += character
  }
  const [header, ...data] = rows.filter((row) => row.length > 1)
  return data.map((row) => Object.fromEntries(header!.map((name, column) => [name, row[column]!])))
}

const pixelsOf = async (png: Uint8Array): Promise<Buffer> => sharp(png).raw().toBuffer()

describe("determinism", () => {
  it("gives the same conversations and PNG bytes for the same seed, and others for another", async () => {
    const run = async (seed: number) => {
      const random = Random.make(seed, "determinism")
      const parts: Array<string> = []
      for (let i = 0; i < 20; i++) {
        const sample = makeSample(random)
        parts.push(
          JSON.stringify(conversation(sample)),
          (await encodePng(renderScene(sample.scene))).toString("base64")
        )
      }
      return parts
    }
    const first = await run(3)
    assert.deepEqual(await run(3), first)
    assert.notDeepEqual(await run(4), first)
  })

  it("ships exactly the records, rows and texts of its seed", () => {
    const lines = (name: string) => text(name).trimEnd().split("\n")
    const records = trainingRecords(trainingSamples(shippedSeed))
    assert.deepEqual(
      lines("train.jsonl").map((line) => JSON.parse(line)),
      records as ReadonlyArray<unknown>
    )
    assert.strictEqual(JSON.parse(text("datasets.json")).nano.length, records.length)
    assert.deepEqual(
      lines("calibration.jsonl").map((line) => JSON.parse(line)),
      calibrationTexts(shippedSeed) as ReadonlyArray<unknown>
    )
    assert.deepEqual(lines("calibration-images.txt"), [...calibrationImageNames])
    for (const [name, items] of Object.entries(evaluationSets(shippedSeed))) {
      const rows = readTsv(text(`evaluation/${name}.tsv`))
      const images = rows.map(({ image }) => Buffer.from(image!, "base64"))
      assert.strictEqual(evaluationTsv(items, images), text(`evaluation/${name}.tsv`))
    }
  })

  it("ships the pictures of its seed, pixel for pixel", async () => {
    const samples = trainingSamples(shippedSeed)
    for (const [index, { image }] of trainingRecords(samples).entries()) {
      if (index % 20 !== 0) continue
      const { scene } = samples[index]!
      const file = readFileSync(nano(image))
      assert.isTrue((await pixelsOf(file)).equals(renderScene(scene).data), `image ${index}`)
    }
    for (const [name, items] of Object.entries(evaluationSets(shippedSeed))) {
      for (const [index, row] of readTsv(text(`evaluation/${name}.tsv`)).entries()) {
        if (index % 20 !== 0) continue
        const pixels = await pixelsOf(Buffer.from(row.image!, "base64"))
        assert.isTrue(pixels.equals(renderScene(items[index]!.scene).data), `${name} row ${index}`)
      }
    }
  })
})

describe("disjointness", () => {
  it("has no scene in both splits, over shipped and fresh ones", () => {
    const training = [...trainingSamples(shippedSeed), ...samplesOf(3000, "disjoint")].map(({ scene }) => scene)
    const evaluation = Object.values(evaluationSets(shippedSeed)).flatMap((items) => items.map(({ scene }) => scene))
    const keys = new Set(training.map(sceneKey))
    assert.isTrue(training.every((scene) => splitOf(scene) === "train"))
    assert.isTrue(evaluation.every((scene) => splitOf(scene) === "evaluation"))
    assert.isTrue(evaluation.every((scene) => !keys.has(sceneKey(scene))))
    assert.isTrue(new Set(evaluation.map(sceneKey)).size > 0.99 * evaluation.length, "evaluation scenes hardly repeat")
  })
})

describe("answers", () => {
  it("are what an independent reading of question and scene gives", () => {
    const random = Random.make(9, "answers")
    const checked = new Map<string, number>()
    for (let i = 0; i < 2500; i++) {
      const scene = makeScene(random, i % 2 === 0 ? "train" : "evaluation")
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

  it("explain themselves with what they follow from", () => {
    const random = Random.make(10, "explanations")
    const explained = (type: TaskType, language: "en" | "zh") => {
      for (;;) {
        const found = question(makeScene(random), type, language, random)
        if (found !== undefined)
          return { ...found, full: answerText(found, "explain"), asked: promptText(found, "explain") }
      }
    }
    for (let i = 0; i < 50; i++) {
      for (const type of ["count", "exist", "verify", "compare", "relation", "choice"] as const) {
        const english = explained(type, "en")
        assert.isTrue(
          english.full.endsWith(`: ${english.answer}`) && english.asked.endsWith("\nExplain."),
          english.full
        )
        const chinese = explained(type, "zh")
        assert.isTrue(
          chinese.full.endsWith(`：${chinese.answer}`) && chinese.asked.endsWith("\n请说明。"),
          chinese.full
        )
      }
      const { full, answer } = explained("count", "en")
      const [evidence = ""] = full.split(":")
      assert.strictEqual(evidence.endsWith(" nowhere") ? 0 : evidence.split(" ").length - 1, Number(answer), full)
      const choice = explained("choice", "en")
      assert.strictEqual(choice.full, `${choice.options["ABCD".indexOf(choice.answer)]}: ${choice.answer}`)
    }
  })

  const shares = (answers: ReadonlyArray<readonly [type: string, answer: string]>) => {
    const types = new Map<string, Array<string>>()
    for (const [type, answer] of answers) types.set(type, [...(types.get(type) ?? []), answer])
    return [...types].map(([type, all]) => {
      const most = Math.max(...[...new Set(all)].map((answer) => all.filter((other) => other === answer).length))
      return { type, share: most / all.length, count: all.length }
    })
  }

  it("of a type and language are never more than 55 % the same in the evaluation sets, options included", () => {
    const rows = readTsv(text("evaluation/short.tsv"))
    assert.deepEqual([...new Set(rows.map((row) => row.category))].sort(), [...evaluatedTypes].sort())
    for (const { type, share, count } of shares(
      rows.map((row) => [`${row.category} ${row["l2-category"]}`, row.answer!])
    )) {
      assert.isAtMost(share, 0.55, type)
      assert.strictEqual(count, 40, type)
    }
    for (const row of rows.filter(({ category }) => category === "choice")) {
      const options = choiceLetters.map((letter) => row[letter]!)
      assert.strictEqual(new Set(options).size, 4)
      assert.include(choiceLetters, row.answer)
    }
    for (const { type, share } of shares(
      readTsv(text("evaluation/caption.tsv")).map((row) => [row["l2-category"]!, row.answer!])
    )) {
      assert.isAtMost(share, 0.02, type)
    }
  })

  it("of a type and language are never more than 60 % the same in training", () => {
    const turns = samplesOf(6000, "balance").flatMap((sample) => sample.turns)
    const all = shares(turns.map(({ question: { type, language, answer } }) => [`${type} ${language}`, answer]))
    assert.strictEqual(all.length, 2 * taskTypes.length)
    for (const { type, share } of all) assert.isAtMost(share, 0.6, type)
  })
})

describe("records", () => {
  it("have one image marker, alternate, end with an answer, and put captions last", () => {
    for (const sample of samplesOf(2000, "records")) {
      const messages = conversation(sample)
      assert.isTrue(messages.every(({ from }, i) => from === (i % 2 === 0 ? "human" : "gpt")))
      assert.strictEqual(messages.length % 2, 0)
      assert.strictEqual(
        messages
          .map(({ value }) => value)
          .join("")
          .split("<image>").length,
        2
      )
      assert.isTrue(messages[0]!.value.startsWith("<image>\n"))
      const captions = sample.turns.flatMap(({ question: { type } }, i) => (type === "caption" ? [i] : []))
      assert.isTrue(captions.every((at) => at === sample.turns.length - 1))
    }
  })

  it("prompt like VLMEvalKit where a benchmark's instruction is asked for", () => {
    const random = Random.make(2, "prompts")
    const prompt = (type: TaskType, language: "en" | "zh", style: PromptStyle = "benchmark"): string => {
      for (;;) {
        const found = question(makeScene(random), type, language, random)
        if (found !== undefined) return promptText(found, style)
      }
    }
    assert.match(
      prompt("color", "en"),
      /^What color is the \w+ object\?\nAnswer the question using a single word or phrase\.$/
    )
    assert.match(
      prompt("exist", "en"),
      /\? Please answer yes or no\. Answer the question using a single word or phrase\.$/
    )
    assert.match(
      prompt("choice", "en"),
      /\?\nA\. \w+\nB\. \w+\nC\. \w+\nD\. \w+\nAnswer with the option's letter from the given choices directly\.$/
    )
    assert.match(prompt("choice", "en", "plain"), /\?\nA\. \w+\nB\. \w+\nC\. \w+\nD\. \w+$/)
    assert.match(prompt("caption", "en"), /^Describe the image\.$/)
    assert.match(prompt("choice", "zh"), /？\nA\. .+\nB\. .+\nC\. .+\nD\. .+\n请直接回答选项字母。$/)
  })
})

describe("pictures", () => {
  const nominal = {
    red: [214, 38, 38],
    green: [36, 158, 62],
    blue: [38, 84, 214],
    yellow: [236, 206, 36],
    purple: [146, 50, 178],
    orange: [242, 128, 24]
  }
  /** Pixels of a cell that differ from the background, as [R, G, B]. */
  const inked = (pixels: Uint8Array, scene: Scene, place: number): ReadonlyArray<ReadonlyArray<number>> => {
    const found: Array<ReadonlyArray<number>> = []
    for (let y = 0; y < 28; y++) {
      for (let x = 0; x < 28; x++) {
        const at = ((Math.floor(place / 3) * 28 + y) * imageSize + (place % 3) * 28 + x) * 3
        const pixel = [...pixels.subarray(at, at + 3)]
        if (pixel.some((value, c) => value !== scene.look.background[c])) found.push(pixel)
      }
    }
    return found
  }
  const distance = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number =>
    Math.hypot(...a.map((value, c) => value - b[c]!))

  it("show in each cell what the scene says, inside the cell's own patches", () => {
    const random = Random.make(4, "pictures")
    for (let i = 0; i < 300; i++) {
      const scene = makeScene(random)
      const pixels = renderScene(scene).data
      for (const [place, cell] of scene.cells.entries()) {
        const ink = inked(pixels, scene, place)
        if (cell === undefined) {
          assert.strictEqual(ink.length, 0)
          continue
        }
        assert.isAbove(ink.length, 30)
        const darkest = ink.map((pixel) => distance(pixel, scene.look.background)).sort((a, b) => b - a)[0]!
        const core = ink.filter((pixel) => distance(pixel, scene.look.background) > 0.9 * darkest)
        const mean = [0, 1, 2].map((c) => core.reduce((sum, pixel) => sum + pixel[c]!, 0) / core.length)
        if (cell.kind === "sign") {
          assert.isBelow(Math.max(...mean), 70)
          continue
        }
        const nearest = Object.entries(nominal).sort(([, a], [, b]) => distance(a, mean) - distance(b, mean))[0]![0]
        assert.strictEqual(nearest, cell.color)
      }
    }
  })
})

describe("tokenizer", () => {
  const imageTokens = 9
  const chinese = /\p{Script=Han}/u

  it.effect("is the one of the generator, as its files are read", () =>
    Effect.gen(function* () {
      const shipped = yield* loadTokenizer(nano("tokenizer"))
      const parts = makeVocabulary(dataSetWords())
      assert.strictEqual(shipped.vocabSize, parts.vocabulary.size + parts.addedTokens.length)
      for (const { id, text: token, special } of parts.addedTokens) {
        assert.strictEqual(shipped.tokenId(token), id)
        assert.strictEqual(shipped.isSpecial(id), special)
      }
      const config = JSON.parse(text("config/config.json"))
      assert.deepEqual(config, modelConfig(shipped.vocabSize, shipped.tokenId("<|endoftext|>")!))
      for (const group of [16, 32]) {
        const widths = [config.vision_config, config.llm_config].flatMap((part) => [
          part.hidden_size,
          part.intermediate_size
        ])
        assert.isTrue(widths.every((width: number) => width % group === 0))
      }
    })
  )

  it.effect("encodes every word of every conversation as one token", () =>
    Effect.gen(function* () {
      const tokenizer = yield* loadTokenizer(nano("tokenizer"))
      const wordsOf = (piece: string, words: ReadonlyArray<string>): number => {
        if (/^ ?[A-Z]{2,}$/.test(piece)) return piece.length
        if (!chinese.test(piece)) return 1
        // The words between which a piece without spaces was joined, found by walking along them.
        let rest = piece
        let count = 0
        while (rest !== "") {
          const next = words.filter((word) => rest.startsWith(word)).sort((a, b) => b.length - a.length)[0]
          assert.isDefined(next, `${piece}: ${rest}`)
          rest = rest.slice(next!.length)
          count++
        }
        return count
      }
      const others = ["请", "直接", "回答", "选项", "字母", "。", " ", ...hanzi, ...choiceLetters]
      for (const { turns } of [...trainingSamples(shippedSeed), ...samplesOf(3000, "words")]) {
        // Explanations join words that no other form has beside each other; the shipped records have none.
        for (const turn of turns.filter(({ style }) => style !== "explain")) {
          const words = [...turn.question.words.flatMap((phrase) => phrase.split(" ")), ...others]
          for (const value of [promptText(turn.question, turn.style), answerText(turn.question, turn.style)]) {
            let expected = 0
            for (let start = 0, end = 0; start < value.length; start = end) {
              end = pieceEnd(value, start)
              expected += wordsOf(value.slice(start, end), words)
            }
            const ids = tokenizer.encode(value)
            assert.strictEqual(ids.length, expected, value)
            assert.strictEqual(tokenizer.decode(ids), value)
          }
        }
      }
    })
  )

  it.effect("keeps conversations short, the template's system message included", () =>
    Effect.gen(function* () {
      const tokenizer = yield* loadTokenizer(nano("tokenizer"))
      const system =
        "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
      assert.strictEqual(tokenizer.encode(system).length, 6)
      const roles = { human: "user", gpt: "assistant" }
      const lengths = trainingSamples(shippedSeed).map((sample) => {
        const turns = conversation(sample).map(({ from, value }) => `<|im_start|>${roles[from]}\n${value}<|im_end|>\n`)
        const image = `<img>${"<IMG_CONTEXT>".repeat(imageTokens)}</img>`
        return tokenizer.encode(`<|im_start|>system\n${system}<|im_end|>\n${turns.join("").replace("<image>", image)}`)
          .length
      })
      assert.isBelow(lengths.reduce((sum, length) => sum + length, 0) / lengths.length, 100)
      assert.isBelow(Math.max(...lengths), 240)
    })
  )

  it.effect("encodes any other text too", () =>
    Effect.gen(function* () {
      const tokenizer = yield* loadTokenizer(nano("tokenizer"))
      for (const value of ["Übergröße, naïve 12.5 %!", "こんにちは 🦊", "a\tb\r\n  c"]) {
        assert.strictEqual(tokenizer.decode(tokenizer.encode(value)), value)
      }
    })
  )
})
