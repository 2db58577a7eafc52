/** One section of every kind, with hostile texts. */
import type { Section } from "../../src/report/Report.ts"

export const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
export const everySection: ReadonlyArray<Section> = [
  {
    _tag: "Headline",
    title: "Headline",
    sentence: "run: 6.5x smaller, keeps 99 % of <all>",
    figures: [
      { value: "6.5x", label: "smaller", detail: "2 to 1 MB" },
      { value: "99 %", label: "kept" }
    ]
  },
  { _tag: "Code", title: "npx <run>", text: "npx <run>", folded: true },
  {
    _tag: "Scatter",
    title: "Quality & size",
    xLabel: "MB",
    yLabel: "score",
    note: "higher is better",
    points: [
      { name: "source", x: 4, y: 99, role: "reference" },
      { name: "<2 bits>", x: 1, y: 97, low: 95, high: 98, role: "result" },
      { name: "near", x: 1, y: 97.1 }
    ]
  },
  {
    _tag: "HeatMap",
    title: "Layers",
    note: "below 1 is better",
    scale: "ratio",
    rowLabel: "block",
    rows: ["0", "1"],
    columns: ["q", "<k>"],
    cells: [
      { row: 0, column: 0, value: 0.5, detail: "layers.0.q: error 2 before, 1 after" },
      { row: 1, column: 1, value: 3, text: "3.00 · 2", detail: "worse" }
    ]
  },
  {
    _tag: "Layers",
    title: "Rounding",
    errors: "of an <output>",
    layers: [
      { layer: "tower.0", errorBefore: 2, errorAfter: 1 },
      { layer: "tower.0.<q>", quantizer: "bilevel", bits: 2.5, bytes: 10 }
    ]
  },
  { _tag: "Text", title: "Words", paragraphs: ["<script>alert(1)</script>", "fine"] },
  {
    _tag: "Table",
    title: "Numbers",
    columns: ["name", "value"],
    rows: [
      ["a & b", 0.000123456],
      ["c", "3 < 4"]
    ]
  },
  {
    _tag: "LineChart",
    title: "loss by step",
    xLabel: "step",
    yLabel: "loss",
    logarithmic: true,
    series: [
      {
        name: "train",
        points: [
          [1, 10],
          [2, 1],
          [3, 0],
          [4, Number.NaN],
          [5, 0.1]
        ]
      },
      { name: "test", points: [] }
    ]
  },
  {
    _tag: "BarChart",
    title: "Error per layer",
    yLabel: "error",
    series: ["before", "after"],
    groups: [{ label: 'language_model.model.layers.0.mlp."down"', values: [2, 0.5] }]
  },
  {
    _tag: "Transcript",
    title: "line <12>",
    paragraphs: ["a & b"],
    images: [{ mediaType: "image/png", base64: pixel, description: 'a "tile"' }],
    pieces: [
      { text: "<script>alert(2)</script>", as: "read" },
      { text: "\n", as: "read" },
      { text: "an ", as: "learned" },
      { text: "answer</mark>", as: "learned" },
      { text: "cut<b>", as: "cut" }
    ]
  },
  {
    _tag: "Gallery",
    title: "Answers",
    items: [
      {
        images: [{ mediaType: "image/png", base64: pixel, description: 'a "red" pixel' }],
        question: "What is <this>?",
        options: ["A. a <pixel>", "B. nothing"],
        expected: "a pixel",
        tags: ["got worse", "<kind>"],
        answers: [
          { by: "full precision", text: "a pixel", correct: true },
          { by: "2 bits", text: "ein Pferd", correct: false },
          { by: "reference", text: "a pixel" }
        ]
      },
      {
        images: [],
        question: "And this?",
        tags: ["got better"],
        answers: [{ by: "2 bits", text: "yes", correct: true }]
      }
    ]
  }
]
