/**
 * A custom benchmark: "counting" asks how many things a picture shows, and marks a number by how far off it is, not only
 * whether it is right. Its file has a picture a row, by path.
 *
 *   node --import tsx -C @speedq/source examples/customBenchmark.ts [MODEL] [RUN]
 *   speedq evaluate MODEL --data runs/counting.tsv --benchmark counting --plugin examples/customBenchmark.ts
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { accuracyFile, expectedAnswer, type RowMark, summarize } from "@speedq/evaluation"
import * as Effect from "effect/Effect"
import { type Benchmark, definePlugin, Evaluate, Recipe, Run, shippedFile } from "speedq"

const words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]

/** The first number in an answer, in digits or as a word; NaN where there is none. */
const numberIn = (answer: string): number => {
  const [found] = new RegExp(`\\d+|\\b(?:${words.join("|")})\\b`).exec(answer.toLowerCase()) ?? [""]
  return words.includes(found) ? words.indexOf(found) : Number.parseInt(found, 10)
}

/** 1 where the number is right, 0 where it is off by the expected number or more, or missing. */
const closeness = ({ extracted, expected }: RowMark): number => {
  const [said, right] = [Number(extracted), Number(expected)]
  return Number.isNaN(said) ? 0 : Math.max(0, 1 - Math.abs(said - right) / Math.max(1, right))
}

const counting: Benchmark = {
  name: "counting",
  version: 1,
  about: "how many things there are; mean closeness of the number in percent",
  columns: ["index", "question", "answer"],
  maxTiles: 6,
  upscaleFirst2x: false,
  generation: { sample: false, maxNewTokens: 8, temperature: 1, topP: 1 },
  prompt: (row) => `${row.cells.get("question")} Answer with one number.`,
  mark: (rows) => {
    const marks = rows.map(({ row, prediction }): RowMark => {
      const [extracted, expected] = [String(numberIn(prediction)), String(numberIn(expectedAnswer(row)))]
      return { row, prediction, extracted, expected, hit: extracted === expected }
    })
    return summarize(marks, (some) => ({
      score: (100 * some.reduce((sum, mark) => sum + closeness(mark), 0)) / some.length,
      rows: some.length
    }))
  },
  // Shares of exact hits, beside the predictions, as VLMEvalKit lays them out.
  scoreFile: accuracyFile
}

export const plugin = definePlugin({ name: "customBenchmark.ts", benchmarks: [counting] })

/** Questions on shipped pictures. */
const rows = [
  ["0009", "How many red objects are there?", 0],
  ["0010", "How many purple objects are there?", 2],
  ["0015", "How many stars are there?", 3]
] as const

const table = (): string => {
  const lines = rows.map(([image, ...asked], index) => [
    index,
    ...asked,
    resolve(shippedFile(`data/nano/images/${image}.png`))
  ])
  return [["index", "question", "answer", "image_path"], ...lines].map((cells) => `${cells.join("\t")}\n`).join("")
}

const main = (model = shippedFile("data/nano/model"), directory = "runs/custom-benchmark") => {
  // Beside the run's directory, which holds nothing else than the run.
  const data = join(dirname(directory), "counting.tsv")
  mkdirSync(dirname(data), { recursive: true })
  writeFileSync(data, table())
  const recipe = Recipe.make({ name: "counting", model }).pipe(
    Recipe.andThen(Evaluate.stage({ title: "full precision", benchmarks: [{ name: "counting", data }] }))
  )
  Run.main(
    Effect.gen(function* () {
      const { evaluations } = yield* Run.start(recipe, { directory, extensions: plugin })
      for (const { benchmark, overall } of evaluations[0]!.scores) console.log(`${benchmark}: ${overall.toFixed(1)} %`)
    })
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(...process.argv.slice(2))
