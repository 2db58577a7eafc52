/** A small data file in the format of every benchmark, with right and wrong answers to its rows. */
import { formulaCategory } from "../src/matching/readsText.ts"
import { tsvOf } from "./dataFiles.ts"

type Cells = Readonly<Record<string, string>>

export interface TinyBenchmark {
  readonly name: string
  readonly rows: readonly Cells[]
  /** What a model must say to a row to be right; `wrong` says something that never is. */
  readonly right: (row: Cells) => string
  readonly wrong: string
  /** The number of a model that is always right. */
  readonly full: number
}

const letter = (row: Cells): string => row.answer!

const choices = (more: (i: number) => Cells = () => ({})): readonly Cells[] =>
  [0, 1, 2, 3].map((i) => ({
    index: String(i),
    question: `Which one is number ${i}?`,
    hint: i === 1 ? "Look closely." : "",
    A: "red",
    B: "blue",
    C: i === 2 ? "N/A" : "green",
    answer: "BAAC"[i]!,
    category: i < 2 ? "color" : "shape",
    "l2-category": "logic_reasoning",
    ...more(i)
  }))

/** Two questions under every rotation of three options. */
const rotations = (question: string): readonly Cells[] =>
  [11, 12].flatMap((base) =>
    [0, 1, 2].map((k) => {
      const options = ["cat", "dog", "cow"].map((_, i, all) => all[(i + k) % 3]!)
      return {
        index: String(base + k * 1_000_000),
        question,
        A: options[0]!,
        B: options[1]!,
        C: options[2]!,
        answer: "ABC"[options.indexOf("dog")]!,
        category: "animal",
        "l2-category": "attribute_reasoning",
        split: "dev"
      }
    })
  )

const hallusions = [0, 1, 2, 3].map((i) => ({
  index: `VD_illusion_1_${i >> 1}_${i}_${i % 2}`,
  question: "Is the line straight?",
  answer: i % 2 === 0 ? "Yes" : "No",
  category: "VD",
  "l2-category": "VD_illusion"
}))

const texts = [
  ["Regular Text Recognition", "['CENTRE']"],
  ["Doc-oriented VQA", "[\"1,000\", '1000']"],
  [formulaCategory, String.raw`['\\frac { 1 } { 2 }']`]
].map(([category, answer], i) => ({
  index: String(i),
  question: "what is written?",
  category: category!,
  answer: answer!
}))
const written = ["the centre", "It is 1,000.", "$\\frac{1}{2}$"]

const college: readonly Cells[] = [
  { index: "dev_Art_1", question: "Which <image 1>?", A: "x", B: "y", answer: "A", split: "dev", category: "Art" },
  {
    index: "validation_Art_1",
    question: "Which <image 1>?",
    A: "x",
    B: "y",
    answer: "B",
    split: "validation",
    category: "Art"
  },
  {
    index: "validation_Math_2",
    question: "How many?",
    A: "",
    B: "",
    answer: "24",
    split: "validation",
    category: "Math"
  }
]

const nanoRows: readonly Cells[] = [
  { index: "0", question: "what color is it ?", A: "", B: "", answer: "red", category: "color" },
  { index: "1", question: "is it red ?", A: "", B: "", answer: "Yes", category: "yes/no" },
  { index: "2", question: "what color is it ?", A: "red", B: "blue", answer: "B", category: "choice" },
  { index: "3", question: "描述图片", A: "", B: "", answer: "红 圆", category: "描述" }
]

export const tinyBenchmarks: readonly TinyBenchmark[] = [
  { name: "HallusionBench", rows: hallusions, right: (row) => `${row.answer}.`, wrong: "I cannot tell", full: 100 },
  { name: "AI2D_TEST", rows: choices(), right: letter, wrong: "Z", full: 100 },
  { name: "OCRBench", rows: texts, right: (row) => written[Number(row.index)]!, wrong: "?", full: 3 },
  { name: "MMBench_DEV_EN_V11", rows: rotations("Which animal?"), right: letter, wrong: "Z", full: 100 },
  { name: "MMBench_DEV_CN_V11", rows: rotations("哪种动物？"), right: letter, wrong: "Z", full: 100 },
  { name: "MMStar", rows: choices(), right: letter, wrong: "Z", full: 100 },
  {
    name: "MMMU_DEV_VAL",
    rows: college,
    right: (row) => (row.A === "" ? "It is 24" : row.answer!),
    wrong: "Z",
    full: 100
  },
  { name: "ScienceQA_VAL", rows: choices(() => ({ split: "val" })), right: letter, wrong: "Z", full: 100 },
  { name: "SEEDBench_IMG", rows: choices(), right: letter, wrong: "Z", full: 100 },
  { name: "nano", rows: nanoRows, right: letter, wrong: "no", full: 100 }
]

/** The data file: its first rows show these images, the later ones refer to them; MMMU's first row shows two, its others their own. */
export const tinyTsv = ({ name, rows }: TinyBenchmark, ...images: readonly [string, ...string[]]): string => {
  const columns = Object.keys(rows[0]!)
  const shown = (i: number): string => images[i % images.length]!
  const cell = (i: number): string => {
    if (name === "MMMU_DEV_VAL") return i === 0 ? `['${shown(0)}', '${shown(1)}']` : shown(i)
    return i < images.length ? shown(i) : rows[i % images.length]!.index!
  }
  return tsvOf(
    [...columns, "image"],
    rows.map((row, i) => [...columns.map((column) => row[column]!), cell(i)])
  )
}
