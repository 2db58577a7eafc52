/** Scores that are shares of right answers, with how sure they are. Others, as points or means over splits, have no interval here. */
import { type Interval, wilson } from "@speedq/evaluation"
import type { BenchmarkScore } from "./Evaluation.ts"

/** Whether two numbers are the same but for their last digits: one was computed in another order. */
export const isSameNumber = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6

const hitsOf = ({ answers }: BenchmarkScore): number => answers.filter(({ correct }) => correct === true).length

/** The share of right answers with its 95 % interval; undefined where the score is something else. */
export const shareOf = (score: BenchmarkScore): Interval | undefined => {
  const { answers, overall } = score
  if (answers.length === 0 || answers.some(({ correct }) => correct === undefined)) return undefined
  const share = wilson(hitsOf(score), answers.length)
  return isSameNumber(100 * share.value, overall) ? share : undefined
}

/** In percent with its interval, `96.8 (95.3-97.8)`. */
export const writtenShare = ({ value, low, high }: Interval): string =>
  `${(100 * value).toFixed(1)} (${(100 * low).toFixed(1)}-${(100 * high).toFixed(1)})`

/** `96.8`, or with its interval `96.8 (95.3-97.8)`. */
export const writtenScore = (score: BenchmarkScore): string => {
  const share = shareOf(score)
  return share === undefined ? score.overall.toFixed(1) : writtenShare(share)
}

/** What people call a benchmark: its file without the ending. */
export const nameOf = ({ data }: { readonly data: string }): string => data.replace(/\.tsv$/, "")
