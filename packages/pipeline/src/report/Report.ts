/** What a report holds, as data: sections that stages contribute and one renderer turns into a page. */
import * as Schema from "effect/Schema"

const Cell = Schema.Union([Schema.String, Schema.Number])
const Point = Schema.Tuple([Schema.Number, Schema.Number])

/**
 * Where a section stands. `front`: with the results, before all chapters; of several with one title the last counts, that of the newest
 * stage. `folded`: closed until a reader opens it.
 */
const place = { front: Schema.optionalKey(Schema.Boolean), folded: Schema.optionalKey(Schema.Boolean) }

/** What a reader should know first: a sentence, and the few numbers in it. */
export const Headline = Schema.TaggedStruct("Headline", {
  title: Schema.String,
  sentence: Schema.String,
  figures: Schema.Array(
    Schema.Struct({ value: Schema.String, label: Schema.String, detail: Schema.optionalKey(Schema.String) })
  ),
  ...place
})

/** Paragraphs of plain text. */
export const Text = Schema.TaggedStruct("Text", { title: Schema.String, paragraphs: Schema.Array(Schema.String) })

/** A table; columns of numbers, with or without a unit, are aligned to the right. */
export const Table = Schema.TaggedStruct("Table", {
  title: Schema.String,
  columns: Schema.Array(Schema.String),
  rows: Schema.Array(Schema.Array(Cell)),
  /** Rows, counted from 0, that no longer hold: they are shown in grey. */
  stale: Schema.optionalKey(Schema.Array(Schema.Int)),
  /** The row, counted from 0, that a reader looks for. */
  emphasis: Schema.optionalKey(Schema.Int),
  /** What is to be known to read it. */
  note: Schema.optionalKey(Schema.String),
  ...place
})

/** Text to be copied, set in a fixed width: a command, a recipe. */
export const Code = Schema.TaggedStruct("Code", { title: Schema.String, text: Schema.String, ...place })

/** Lines over a common axis, for example the loss over steps. Long lines are thinned when drawn, their extremes kept. */
export const LineChart = Schema.TaggedStruct("LineChart", {
  title: Schema.String,
  xLabel: Schema.String,
  yLabel: Schema.String,
  logarithmic: Schema.optionalKey(Schema.Boolean),
  /** A small chart: those that follow each other stand side by side. */
  compact: Schema.optionalKey(Schema.Boolean),
  /** Draws a moving mean, and the values themselves faintly behind it. */
  smooth: Schema.optionalKey(Schema.Boolean),
  series: Schema.Array(Schema.Struct({ name: Schema.String, points: Schema.Array(Point) }))
})

/** Bars side by side in groups, for example the error of each layer before and after. `values[i]` belongs to `series[i]`. */
export const BarChart = Schema.TaggedStruct("BarChart", {
  title: Schema.String,
  yLabel: Schema.String,
  logarithmic: Schema.optionalKey(Schema.Boolean),
  series: Schema.Array(Schema.String),
  groups: Schema.Array(Schema.Struct({ label: Schema.String, values: Schema.Array(Schema.Number) }))
})

/** Points by two numbers, for example quality against size. Each has its name beside it; `low` and `high` are the ends of its interval. */
export const Scatter = Schema.TaggedStruct("Scatter", {
  title: Schema.String,
  xLabel: Schema.String,
  yLabel: Schema.String,
  /** What is to be known to read it. */
  note: Schema.optionalKey(Schema.String),
  points: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      x: Schema.Number,
      y: Schema.Number,
      low: Schema.optionalKey(Schema.Number),
      high: Schema.optionalKey(Schema.Number),
      /** What it is to the others: the `result`, the `reference` that it is to reach, or the `baseline` that it is to beat. */
      role: Schema.optionalKey(Schema.Literals(["result", "reference", "baseline"]))
    })
  ),
  ...place
})

/**
 * A table whose cells are coloured by a number, for example the layers of a model. A `ratio` is coloured by how far it is from 1, below
 * 1 as good and above as bad; an `amount` from the smallest to the largest.
 */
export const HeatMap = Schema.TaggedStruct("HeatMap", {
  title: Schema.String,
  /** What the numbers are. */
  note: Schema.String,
  scale: Schema.Literals(["ratio", "amount"]),
  rowLabel: Schema.String,
  rows: Schema.Array(Schema.String),
  columns: Schema.Array(Schema.String),
  /**
   * Cells by row and column, counted from 0; one that is missing stays empty, one without a value has a text alone and no colour.
   * `detail` is all that there is to say of it.
   */
  cells: Schema.Array(
    Schema.Struct({
      row: Schema.Int,
      column: Schema.Int,
      value: Schema.optionalKey(Schema.Number),
      text: Schema.optionalKey(Schema.String),
      detail: Schema.String
    })
  )
})

/**
 * What a stage knows of a layer, or of a whole block of layers: `vision_model.encoder.layers.3`. `bits` are those of a weight, scales
 * and zero points included; the errors are those of the output, or of the weights, before and after what the stage does.
 */
export const LayerFact = Schema.Struct({
  layer: Schema.String,
  quantizer: Schema.optionalKey(Schema.String),
  bits: Schema.optionalKey(Schema.Number),
  errorBefore: Schema.optionalKey(Schema.Number),
  errorAfter: Schema.optionalKey(Schema.Number),
  bytes: Schema.optionalKey(Schema.Int)
})
export interface LayerFact extends Schema.Schema.Type<typeof LayerFact> {}

/** What a stage made of the layers, which the report of a run draws in one map with what the other stages made of them. */
export const Layers = Schema.TaggedStruct("Layers", {
  title: Schema.String,
  /** What the errors before and after are, where the stage tells errors. */
  errors: Schema.optionalKey(Schema.String),
  layers: Schema.Array(LayerFact)
})

/** An image inside the page: base64, with words for those who cannot see it. */
export const EmbeddedImage = Schema.Struct({
  mediaType: Schema.Literals(["image/png", "image/jpeg", "image/webp"]),
  base64: Schema.String,
  description: Schema.String
})

/** Samples: what was shown and asked, and what each model answered. Readers choose among them by their tags. */
export const Gallery = Schema.TaggedStruct("Gallery", {
  title: Schema.String,
  items: Schema.Array(
    Schema.Struct({
      images: Schema.Array(EmbeddedImage),
      question: Schema.String,
      /** Answers to choose from, each with its letter. */
      options: Schema.optionalKey(Schema.Array(Schema.String)),
      /** The answer that counts as right. */
      expected: Schema.optionalKey(Schema.String),
      /** Words to choose by, for example "got worse" and the kind of question. */
      tags: Schema.optionalKey(Schema.Array(Schema.String)),
      answers: Schema.Array(
        Schema.Struct({ by: Schema.String, text: Schema.String, correct: Schema.optionalKey(Schema.Boolean) })
      )
    })
  )
})

/**
 * What a model reads, piece by piece, under the pictures in it: pieces that are only read, that are learned, and that are cut off, so that
 * the model sees nothing of them. A piece is a token, or a few that are one character together.
 */
export const Transcript = Schema.TaggedStruct("Transcript", {
  title: Schema.String,
  paragraphs: Schema.Array(Schema.String),
  images: Schema.Array(EmbeddedImage),
  pieces: Schema.Array(Schema.Struct({ text: Schema.String, as: Schema.Literals(["read", "learned", "cut"]) }))
})

export const Section = Schema.Union([
  Headline,
  Text,
  Table,
  Code,
  LineChart,
  BarChart,
  Scatter,
  HeatMap,
  Layers,
  Gallery,
  Transcript
])
export type Section = typeof Section.Type

/** Sections under the heading of their stage. A stale chapter no longer holds and is shown in grey. */
export const Chapter = Schema.Struct({
  title: Schema.String,
  sections: Schema.Array(Section),
  stale: Schema.optionalKey(Schema.Boolean)
})
export interface Chapter extends Schema.Schema.Type<typeof Chapter> {}

/** A page: a heading, what it is about in a line, and chapters. */
export const Report = Schema.Struct({
  title: Schema.String,
  subtitle: Schema.String,
  /** What still changes while the run works: the page says so, and loads itself again. In seconds; none for a run that has ended. */
  refresh: Schema.optionalKey(Schema.Int),
  /** When it was written, in milliseconds since 1970. */
  writtenAt: Schema.optionalKey(Schema.Number),
  /** Before all chapters. */
  front: Schema.optionalKey(Schema.Array(Section)),
  chapters: Schema.Array(Chapter)
})
export interface Report extends Schema.Schema.Type<typeof Report> {}
