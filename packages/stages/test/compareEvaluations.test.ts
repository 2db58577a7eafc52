/** Differences of runs: question by question where they answered the same, and no interval where none can be given. */
import { assert, describe, it } from "vitest"
import { compareEvaluations } from "../src/evaluate/compareEvaluations.ts"
import type { BenchmarkScore, Evaluation } from "../src/evaluate/Evaluation.ts"

/** Answers to a hundred rows from `from` on, right where `isRight` says so. */
const scoreOf = (isRight: (row: number) => boolean, { from = 0, factor = 1 } = {}): BenchmarkScore => {
  const answers = Array.from({ length: 100 }, (_, at) => ({
    index: String(from + at),
    answer: "a",
    correct: isRight(from + at)
  }))
  const overall = factor * answers.filter(({ correct }) => correct).length
  return {
    ...{ benchmark: "mine", data: "mine.tsv", categories: {}, overall, answers },
    divergence: null,
    divergenceTokens: 0
  }
}
const evaluationOf = (score: BenchmarkScore, bytes = 1e6): Evaluation => ({
  ...{ title: "t", made: "stages", scores: [score], bytes, bitsPerParameter: 5 }
})
const scoreIn = (...scores: readonly BenchmarkScore[]) => {
  const [measure] = compareEvaluations(scores.map((score) => evaluationOf(score)))
  return measure ?? assert.fail("no measure")
}
const widthOf = ({ low = Number.NaN, high = Number.NaN }) => high - low

describe("compareEvaluations", () => {
  it("pairs the same questions, whose differences are surer than those of others", () => {
    const before = scoreOf((row) => row % 100 < 70)
    const [paired] = scoreIn(
      before,
      scoreOf((row) => row % 100 < 75)
    ).differences
    const [unpaired] = scoreIn(
      before,
      scoreOf((row) => row % 100 < 75, { from: 50 })
    ).differences
    assert.deepInclude(paired, { value: 5, paired: 100 })
    assert.deepInclude(unpaired, { value: 5 })
    assert.notProperty(unpaired, "paired")
    assert.isBelow(widthOf(paired!), 0.6 * widthOf(unpaired!))
    assert.isAbove(paired!.low!, 0)
    assert.isBelow(unpaired!.low!, 0)
  })

  it("gives no interval where the score is no share of right answers", () => {
    const measure = scoreIn(
      scoreOf((row) => row < 70, { factor: 10 }),
      scoreOf((row) => row < 75, { factor: 10 })
    )
    assert.deepStrictEqual(measure.differences, [{ value: 50 }])
  })

  it("compares all others with the first, and leaves out what no run has", () => {
    const score = scoreOf((row) => row < 50)
    const other = { ...score, data: "other.tsv" }
    const measures = compareEvaluations([evaluationOf(score), evaluationOf(score, 3e6), evaluationOf(other)])
    assert.deepStrictEqual(
      measures.map(({ name, values }) => [name, values]),
      [
        ["mine", [50, 50, null]],
        ["other", [null, null, 50]],
        ["MB", [1, 3, 1]],
        ["bits / parameter", [5, 5, 5]]
      ]
    )
    assert.isNull(measures[1]!.differences[1])
    assert.deepStrictEqual(measures[2]!.differences, [{ value: 2 }, { value: 0 }])
  })
})
