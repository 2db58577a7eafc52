/** Right answers by kind of question: a row for each variant of an ablation, a column for each benchmark and each of its categories. */
import { wilson } from "@speedq/evaluation"
import type { Report, VariantResults } from "@speedq/pipeline"
import type { BenchmarkScore, Evaluation } from "./Evaluation.ts"
import { nameOf, shareOf, writtenShare } from "./shares.ts"

/** A part of a benchmark's questions; all of them have no category. */
interface Kind {
  readonly data: string
  readonly category: string | undefined
  readonly rows: number
}

/** What a model scored on a kind; `isShare`: percent of right answers. */
interface KindScore extends Kind {
  readonly score: number
  readonly isShare: boolean
}

/** More columns than these are folded. */
const mostShown = 24

/** A benchmark and its categories, without one that has all of its questions. */
const kindScores = (score: BenchmarkScore): readonly KindScore[] => {
  const { data, overall, categories, answers } = score
  const whole: KindScore = {
    data,
    category: undefined,
    rows: answers.length,
    score: overall,
    isShare: shareOf(score) !== undefined
  }
  const parts = Object.entries(categories).map(
    ([category, { score: own, rows, standardError }]): KindScore => ({
      data,
      category,
      rows,
      score: own,
      isShare: standardError !== undefined
    })
  )
  const isWhole = (part: KindScore) => whole.isShare && part.isShare && part.rows === whole.rows
  return [whole, ...parts.filter((part) => !isWhole(part))]
}

const isSame = (one: Kind, other: Kind): boolean => one.data === other.data && one.category === other.category

/** `choice (80)`; with the benchmark's name where several have a category of that name. */
const headOf = (kind: Kind, kinds: readonly Kind[]): string => {
  const { data, category, rows } = kind
  if (category === undefined) return `${nameOf(kind)} (${rows})`
  const isAlone = kinds.every((other) => other.category !== category || other.data === data)
  return `${isAlone ? category : `${nameOf(kind)} ${category}`} (${rows})`
}

/** The mean over the seeds, with the interval of so many right answers to the same questions where it is one of shares. */
const cellOf = (scores: readonly KindScore[]): string => {
  const [first] = scores
  if (first === undefined) return ""
  const mean = scores.reduce((sum, { score }) => sum + score, 0) / scores.length
  const isShare = scores.every(({ isShare, rows }) => isShare && rows === first.rows)
  return isShare ? writtenShare(wilson((mean / 100) * first.rows, first.rows)) : mean.toFixed(1)
}

const note =
  "Heads: numbers of questions. In brackets: 95 % Wilson intervals over the questions. Every seed asks the same ones, so a mean over seeds counts them once: its interval says how sure the score is for other questions of the kind, not for other seeds."

/** No table where nothing was asked. */
export const kindTables = (variants: readonly VariantResults<Evaluation>[]): readonly (typeof Report.Table.Type)[] => {
  const found = variants.map(({ variant, results }) => ({
    variant,
    scores: results.flatMap(({ scores }) => scores.flatMap(kindScores))
  }))
  const asked = found.flatMap(({ scores }) => scores)
  const kinds: readonly Kind[] = asked.filter((kind, at) => asked.findIndex((each) => isSame(each, kind)) === at)
  if (kinds.length === 0) return []
  return [
    {
      _tag: "Table",
      title: "Right answers by kind, %",
      columns: ["variant", ...kinds.map((kind) => headOf(kind, kinds))],
      rows: found.map(({ variant, scores }) => [
        variant,
        ...kinds.map((kind) => cellOf(scores.filter((score) => isSame(score, kind))))
      ]),
      note,
      ...(kinds.length > mostShown ? { folded: true } : {})
    }
  ]
}
