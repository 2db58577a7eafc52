/** What a report holds, as data: sections that stages contribute and one renderer turns into a page. */
import * as Schema from "effect/Schema"

const Cell = Schema.Union([Schema.String, Schema.Number])
const Point = Schema.Tuple([Schema.Number, Schema.Number])

/** Paragraphs of plain text. */
export const Text = Schema.TaggedStruct("Text", { title: Schema.String, paragraphs: Schema.Array(Schema.String) })

/** A table; columns of numbers, with or without a unit, are aligned to the right. */
export const Table = Schema.TaggedStruct("Table", {
  title: Schema.String,
  columns: Schema.Array(Schema.String),
  rows: Schema.Array(Schema.Array(Cell)),
  /** Rows, counted from 0, that no longer hold: they are shown in grey. */
  stale: Schema.optionalKey(Schema.Array(Schema.Int))
})

/** Lines over a common axis, for example the loss over steps. Long lines are thinned when drawn, their extremes kept. */
export const LineChart = Schema.TaggedStruct("LineChart", {
  title: Schema.String,
  xLabel: Schema.String,
  yLabel: Schema.String,
  logarithmic: Schema.optionalKey(Schema.Boolean),
  /** A small chart: those that follow each other stand side by side. */
  compact: Schema.optionalKey(Schema.Boolean),
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

/** An image inside the page: base64, with words for those who cannot see it. */
export const EmbeddedImage = Schema.Struct({
  mediaType: Schema.Literals(["image/png", "image/jpeg", "image/webp"]),
  base64: Schema.String,
  description: Schema.String
})

/** Samples: what was shown and asked, and what each model answered. */
export const Gallery = Schema.TaggedStruct("Gallery", {
  title: Schema.String,
  items: Schema.Array(
    Schema.Struct({
      images: Schema.Array(EmbeddedImage),
      question: Schema.String,
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

export const Section = Schema.Union([Text, Table, LineChart, BarChart, Gallery, Transcript])
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
  chapters: Schema.Array(Chapter)
})
export interface Report extends Schema.Schema.Type<typeof Report> {}
