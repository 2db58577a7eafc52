/** What a benchmark is: where its file comes from, how a row is asked, and how the answers are scored. */

import type { Row } from "../data/Row.ts"
import type { Matcher } from "../matching/inferOption.ts"
import type { Marks } from "../scoring/Marks.ts"
import type { ScoreFile } from "../scoring/ScoreFile.ts"

/** How text is generated. Greedy decoding leaves temperature and topP unused. */
export interface GenerationSettings {
  readonly sample: boolean
  readonly maxNewTokens: number
  readonly temperature: number
  readonly topP: number
}

/** VLMEvalKit's settings for InternVL3. */
export const greedyGeneration: GenerationSettings = { sample: false, maxNewTokens: 4096, temperature: 0.6, topP: 0.95 }

/** Where the published file is found; nothing is downloaded. */
export interface Origin {
  readonly url: string
  /** MD5 of the TSV file, hexadecimal. */
  readonly md5: string
}

/** A row with its prediction. */
export interface AnsweredRow {
  readonly row: Row
  readonly prediction: string
}

/** A row that a scorer cannot read; {@link score} turns it into a typed error. */
export class UnscorableRow extends Error {
  readonly row: Row
  readonly column: string
  constructor(row: Row, column: string, reason: string) {
    super(reason)
    this.row = row
    this.column = column
  }
}

export interface Benchmark {
  readonly name: string
  /** Raised when the same answers are asked or scored otherwise; a part of the key of an evaluation. */
  readonly version: number
  /** One line for a person: what is asked and how it is scored. */
  readonly about: string
  readonly origin?: Origin
  /** Columns without which rows cannot be asked and scored (`image` or `image_path` is needed besides). */
  readonly columns: readonly string[]
  /** The split whose number is reported; without it the file's only split, or all rows. */
  readonly reportedSplit?: string
  /** What scores count: percent unless it says points. */
  readonly unit?: "points"
  /** Tiles per image before the limit of 64 tiles a row. */
  readonly maxTiles: number
  /** Whether a row's first image is enlarged twofold (bilinear) before tiling. */
  readonly upscaleFirst2x: boolean
  readonly generation: GenerationSettings
  /** The text for the model, without image marks. */
  readonly prompt: (row: Row) => string
  /** The expected answer as a model would write it, where the `answer` cell has another form; undefined where there is none. */
  readonly answer?: (row: Row) => string | undefined
  /** Marks of the answered rows; must not depend on their order. Throws {@link UnscorableRow}. */
  readonly mark: (rows: readonly AnsweredRow[], matcher: Matcher) => Marks
  /** The marks as VLMEvalKit writes them. */
  readonly scoreFile: (marks: Marks) => ScoreFile
}

/** The answer that a benchmark expects, as a model would write it; undefined where the row has none. */
export const answerOf = ({ answer }: Benchmark, row: Row): string | undefined =>
  answer === undefined ? row.cells.get("answer") : answer(row)

/** All images of a row share 64 tiles: max(1, min(maxTiles, floor(64 / images))). */
export const tilesPerImage = (benchmark: Benchmark, images: number): number =>
  Math.max(1, Math.min(benchmark.maxTiles, Math.floor(64 / Math.max(1, images))))
