import { describe, it } from "@effect/vitest"
import { generationPrompt, spellOut } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { answerOf, tilesPerImage } from "../src/benchmarks/Benchmark.ts"
import { withImageMarks } from "../src/benchmarks/prompts.ts"
import { benchmarkNamed, benchmarks } from "../src/benchmarks/registry.ts"
import { rowOf } from "./rows.ts"

const named = (name: string) => benchmarks.find((benchmark) => benchmark.name === name)!
const letterPlease = "\nAnswer with the option's letter from the given choices directly."

describe("prompts", () => {
  it("HallusionBench", () => {
    const prompt = named("HallusionBench").prompt(rowOf({ question: "Is it red?" }))
    assert.strictEqual(prompt, "Is it red? Please answer yes or no. Answer the question using a single word or phrase.")
  })

  it("OCRBench", () => {
    const prompt = named("OCRBench").prompt(rowOf({ question: "what is written?" }))
    assert.strictEqual(prompt, "what is written?\nAnswer the question using a single word or phrase.")
  })

  it("multiple choice: the worked example", () => {
    const prompt = named("MMStar").prompt(rowOf({ question: "What is shown?", A: "cat", B: "dog" }))
    assert.strictEqual(withImageMarks(prompt, 1), `<image>\nWhat is shown?\nA. cat\nB. dog${letterPlease}`)
  })

  it.effect("multiple choice: the worked example as the model reads it", () =>
    Effect.gen(function* () {
      const prompt = named("MMStar").prompt(rowOf({ question: "What is shown?", A: "cat", B: "dog" }))
      const question = withImageMarks(prompt, 1)
      const prompted = yield* generationPrompt({ question, tilesPerImage: [1], tokensPerTile: 2 })
      const system =
        "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
      assert.strictEqual(
        spellOut(prompted),
        [
          "<|im_start|>system",
          `${system}<|im_end|>`,
          "<|im_start|>user",
          "<img><IMG_CONTEXT><IMG_CONTEXT></img>",
          "What is shown?",
          "A. cat",
          "B. dog",
          "Answer with the option's letter from the given choices directly.<|im_end|>",
          "<|im_start|>assistant",
          ""
        ].join("\n")
      )
    })
  )

  it("a hint comes first, and only options that are there, in the alphabet's order", () => {
    const prompt = named("AI2D_TEST").prompt(rowOf({ question: "q", hint: "h", D: "1.0", B: "x" }))
    assert.strictEqual(prompt, `h\nq\nB. x\nD. 1.0${letterPlease}`)
  })

  it("open questions", () => {
    assert.strictEqual(
      named("MMMU_DEV_VAL").prompt(rowOf({ question: "How? <image 1>" })),
      "How? <image 1>\nAnswer the question directly."
    )
    assert.strictEqual(named("MMMU_DEV_VAL").prompt(rowOf({ question: "多少？" })), "多少？\n请直接回答问题。")
  })

  it("one Chinese character in hint, question or options makes the instruction Chinese", () => {
    for (const cells of [{ hint: "中" }, { question: "q中" }, { A: "中" }]) {
      const prompt = named("MMBench_DEV_CN_V11").prompt(rowOf({ question: "q", A: "x", B: "y", ...cells }))
      assert.match(prompt, /\n请直接回答选项字母。$/)
    }
    // The range is U+4E00 to U+9FFF: kana and full-width marks are not in it.
    for (const question of ["カナ？", "\u3400", "\ua000"]) {
      assert.ok(
        named("MMStar")
          .prompt(rowOf({ question, A: "x", B: "y" }))
          .endsWith(letterPlease),
        question
      )
    }
    assert.match(named("MMStar").prompt(rowOf({ question: "\u9fff", A: "x" })), /字母。$/)
  })

  it("nano asks the question and its options and nothing else", () => {
    assert.strictEqual(
      named("nano").prompt(rowOf({ question: "what color ?", A: "red", B: "blue" })),
      "what color ?\nA. red\nB. blue"
    )
  })

  it("image marks", () => {
    assert.strictEqual(withImageMarks("q", 1), "<image>\nq")
    assert.strictEqual(withImageMarks("q", 3), "Image-1: <image>\nImage-2: <image>\nImage-3: <image>\nq")
    assert.strictEqual(withImageMarks("q", 0), "q")
  })
})

describe("registry", () => {
  it("tiles, upscaling, split and md5 of every benchmark", () => {
    const table = benchmarks.map((b) => [b.name, b.maxTiles, b.upscaleFirst2x, b.reportedSplit, b.origin?.md5])
    assert.deepStrictEqual(table, [
      ["HallusionBench", 6, false, undefined, "0c23ac0dc9ef46832d7a24504f2a0c7c"],
      ["AI2D_TEST", 6, false, undefined, "0f593e0d1c7df9a3d69bf1f947e71975"],
      ["OCRBench", 24, false, undefined, "e953d98a987cc6e26ef717b61260b778"],
      ["MMBench_DEV_EN_V11", 6, false, "dev", "30c05be8f2f347a50be25aa067248184"],
      ["MMBench_DEV_CN_V11", 6, false, "dev", "593f9b5f6bea453d870a798b34ae4f37"],
      ["MMStar", 6, false, undefined, "e1ecd2140806c1b1bbf54b43372efb9e"],
      ["MMMU_DEV_VAL", 12, true, "validation", "585e8ad75e73f75dcad265dfd0417d64"],
      ["ScienceQA_VAL", 6, false, undefined, "96320d05e142e585e7204e72affd29f3"],
      ["SEEDBench_IMG", 6, false, undefined, "68017231464752261a2526d6ca3a10c0"],
      ["nano", 6, false, undefined, undefined]
    ])
    for (const { name, generation } of benchmarks.filter((b) => b.name !== "nano")) {
      assert.deepStrictEqual(generation, { sample: false, maxNewTokens: 4096, temperature: 0.6, topP: 0.95 }, name)
    }
  })

  it("the images of a row share 64 tiles", () => {
    assert.deepStrictEqual(
      [1, 2, 3, 5, 6, 64, 65].map((n) => tilesPerImage(named("MMMU_DEV_VAL"), n)),
      [12, 12, 12, 12, 10, 1, 1]
    )
    assert.deepStrictEqual(
      [1, 2, 3].map((n) => tilesPerImage(named("OCRBench"), n)),
      [24, 24, 21]
    )
    assert.deepStrictEqual(
      [1, 10, 11, 32, 33].map((n) => tilesPerImage(named("MMStar"), n)),
      [6, 6, 5, 2, 1]
    )
  })

  it.effect("finds by name, upper and lower case alike, and names the known ones otherwise", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* benchmarkNamed("mmstar")).name, "MMStar")
      const error = yield* Effect.flip(benchmarkNamed("MMVet"))
      assert.match(error.message, /^unknown benchmark "MMVet"; known benchmarks: HallusionBench, AI2D_TEST, /)
    })
  )

  it.effect("finds a user's own among those that are known", () =>
    Effect.gen(function* () {
      const mine = { ...named("nano"), name: "MMVet" }
      assert.strictEqual(yield* benchmarkNamed("mmvet", [...benchmarks, mine]), mine)
      const error = yield* Effect.flip(benchmarkNamed("nano", [mine]))
      assert.deepStrictEqual([error.benchmark, error.known], ["nano", ["MMVet"]])
    })
  )
})

describe("the answer that a benchmark expects, as a model would write it", () => {
  it("is the first of OCRBench's list, and none where the cell is no list", () => {
    assert.strictEqual(answerOf(named("OCRBench"), rowOf({ answer: "['RH', 'r h']" })), "RH")
    assert.isUndefined(answerOf(named("OCRBench"), rowOf({ answer: "RH" })))
    assert.isUndefined(answerOf(named("OCRBench"), rowOf({})))
  })

  it("is the cell of others", () => {
    assert.strictEqual(answerOf(named("MMStar"), rowOf({ answer: "B" })), "B")
    assert.isUndefined(answerOf(named("MMStar"), rowOf({})))
  })
})
