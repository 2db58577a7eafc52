/** The questions of this data set as rows of the nine benchmarks of the paper, each in its own format. */
import { Random } from "@speedq/tensors"
import { optionCells } from "../../common/evaluation.ts"
import { choiceLetters, type Language } from "../../common/Task.ts"
import { type EvaluationItem, itemsOf } from "./evaluation.ts"
import type { Scene, Split } from "./Scene.ts"
import type { TaskType } from "./tasks.ts"

/** A row without its picture, and the scene that the picture shows. */
export interface BenchmarkRow {
  readonly scene: Scene
  readonly cells: Readonly<Record<string, string>>
}

export interface BenchmarkFile {
  readonly name: string
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<BenchmarkRow>
}

type Items = (
  type: TaskType | "choice",
  language: Language,
  count: number,
  layouts?: readonly [number, number, number]
) => ReadonlyArray<EvaluationItem>

const choiceColumns = ["index", "question", ...choiceLetters, "answer", "category", "l2-category"]

const choiceRow = ({ scene, question }: EvaluationItem, index: string): BenchmarkRow => ({
  scene,
  cells: {
    index,
    question: question.text,
    ...optionCells(question.options),
    answer: question.answer,
    category: question.type,
    "l2-category": question.language
  }
})

const choices = (items: ReadonlyArray<EvaluationItem>): ReadonlyArray<BenchmarkRow> =>
  items.map((item, i) => choiceRow(item, String(i)))

/** Between the indexes of a question's rotations, as in MMBench. */
const rotationStep = 1_000_000

/** A question under every rotation of its options; it counts as right when it is right under each. */
const rotations = (item: EvaluationItem, base: number): ReadonlyArray<BenchmarkRow> => {
  const { options, answer } = item.question
  const right = options[choiceLetters.indexOf(answer)]!
  return options.map((_, turn) => {
    const turned = options.map((_, i) => options[(i + turn) % options.length]!)
    const question = { ...item.question, options: turned, answer: choiceLetters[turned.indexOf(right)]! }
    const row = choiceRow({ ...item, question }, String(base + turn * rotationStep))
    return { ...row, cells: { ...row.cells, split: "dev" } }
  })
}
const circular = (items: ReadonlyArray<EvaluationItem>): ReadonlyArray<BenchmarkRow> =>
  items.flatMap((item, i) => rotations(item, i + 1))

/** Yes-or-no questions, one a figure. */
const hallusions = (items: ReadonlyArray<EvaluationItem>): ReadonlyArray<BenchmarkRow> =>
  items.map(({ scene, question: { text, answer, type } }, i) => ({
    scene,
    cells: {
      index: `VS_${type}_1_${i}_0_0`,
      question: text,
      answer,
      category: "VS",
      "l2-category": `VS_${type}`
    }
  }))

const texts = (items: ReadonlyArray<EvaluationItem>): ReadonlyArray<BenchmarkRow> =>
  items.map(({ scene, question: { text, answer, type } }, i) => ({
    scene,
    cells: {
      index: String(i),
      question: text,
      answer: `['${answer}']`,
      category: type === "number" ? "Digit String Recognition" : "Non-Semantic Text Recognition"
    }
  }))

/** Questions with options and open ones; their pictures are shown twice as large, so they have one tile here. */
const college = (items: ReadonlyArray<EvaluationItem>): ReadonlyArray<BenchmarkRow> =>
  items.map((item, i) => {
    const { cells, scene } = choiceRow(item, `validation_Micro_${i + 1}`)
    return { scene, cells: { ...cells, split: "validation" } }
  })

const makers: Readonly<
  Record<string, { readonly more?: string; readonly rows: (items: Items) => ReadonlyArray<BenchmarkRow> }>
> = {
  HallusionBench: { rows: (items) => hallusions([...items("exist", "en", 50), ...items("verify", "en", 50)]) },
  AI2D_TEST: { rows: (items) => choices(items("choice", "en", 100)) },
  OCRBench: { rows: (items) => texts([...items("read", "en", 50), ...items("number", "en", 50)]) },
  MMBench_DEV_EN_V11: { more: "split", rows: (items) => circular(items("choice", "en", 40)) },
  MMBench_DEV_CN_V11: { more: "split", rows: (items) => circular(items("choice", "zh", 40)) },
  MMStar: { rows: (items) => choices(items("choice", "en", 100)) },
  MMMU_DEV_VAL: {
    more: "split",
    rows: (items) => college([...items("choice", "en", 60, [1, 0, 0]), ...items("dots", "en", 40, [1, 0, 0])])
  },
  ScienceQA_VAL: {
    more: "split",
    rows: (items) =>
      choices(items("choice", "en", 100)).map(({ scene, cells }) => ({ scene, cells: { ...cells, split: "val" } }))
  },
  SEEDBench_IMG: { rows: (items) => choices(items("choice", "en", 100)) }
}

/** The rows of all nine, from scenes of a split; every benchmark has scenes of its own. */
export const benchmarkFiles = (seed: number, split: Exclude<Split, "train">): ReadonlyArray<BenchmarkFile> =>
  Object.entries(makers).map(([name, { more, rows }]) => {
    const random = Random.make(seed, `${split} ${name}`)
    return {
      name,
      columns: more === undefined ? choiceColumns : [...choiceColumns, more],
      rows: rows((type, language, count, layouts) => itemsOf(random, split, type, language, count, layouts))
    }
  })
