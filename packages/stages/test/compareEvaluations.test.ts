/** Differences of runs: question by question where they answered the same, and no interval where none can be given. */
import { paperBenchmarks } from "@speedq/evaluation"
import { assert, describe, it } from "vitest"
import { compareEvaluations, type Judged } from "../src/evaluate/compareEvaluations.ts"
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
  const [measure] = compareEvaluations(scores.map((score) => ({ evaluation: evaluationOf(score) })))
  return measure ?? assert.fail("no measure")
}
/** The same answers once more: two points for each question. */
const doubled = (score: BenchmarkScore): BenchmarkScore => ({
  ...score,
  overall: 2 * score.overall,
  answers: [...score.answers, ...score.answers.map((answer) => ({ ...answer, index: `again ${answer.index}` }))]
})

/** Forty sets of a question about two figures: the first is answered right in some sets, the second in all. */
const figures = (isRight: (set: number) => boolean): BenchmarkScore => {
  const answers = Array.from({ length: 80 }, (_, at) => {
    const [set, figure] = [Math.floor(at / 2), at % 2]
    return { index: `VD_chart_1_${set}_${figure}_0`, answer: "Yes", correct: figure === 1 || isRight(set) }
  })
  const questions = answers.filter(({ correct }) => correct).length / 80
  const sets = answers.filter(({ correct }, at) => at % 2 === 0 && correct).length / 40
  return { ...scoreOf(() => true), overall: (100 * (2 * questions + sets)) / 3, answers }
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
    assert.deepInclude(paired, { value: 5, by: "Newcombe", paired: 100 })
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
    const evaluations = [evaluationOf(score), evaluationOf(score, 3e6), evaluationOf(other)]
    const measures = compareEvaluations(evaluations.map((evaluation) => ({ evaluation })))
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

  it("draws points, of which each right answer is one", () => {
    const [drawn] = scoreIn(doubled(scoreOf((row) => row < 70)), doubled(scoreOf((row) => row < 85))).differences
    assert.deepInclude(drawn, { value: 30, by: "bootstrap", paired: 200 })
    // Of 200 answers, 15 % became right: the standard error of their number is 5.05.
    assert.closeTo(widthOf(drawn!), 2 * 1.96 * 5.05, 2)
  })

  it("draws sets of questions about the same figures together", () => {
    const before = figures((set) => set % 2 === 0)
    const after = figures((set) => set % 4 !== 1)
    const [difference] = scoreIn(before, after).differences
    assert.strictEqual(difference!.by, "bootstrap")
    // A quarter of 40 sets became right, which counts two thirds: the standard error is 4.56.
    assert.closeTo(difference!.value, (100 * 0.25 * 2) / 3, 1e-9)
    assert.closeTo(widthOf(difference!), 2 * 1.96 * 4.56, 2)
  })

  it("draws the averages of eight benchmarks, each by itself", () => {
    const average = (right: number): Judged => ({
      evaluation: {
        ...evaluationOf(scoreOf(() => true)),
        scores: paperBenchmarks.map((benchmark) => ({ ...scoreOf((row) => row < right), benchmark, data: benchmark }))
      }
    })
    const [measure, one] = compareEvaluations([average(70), average(75)])
    assert.strictEqual(measure?.name, "average of 8")
    const [difference] = measure!.differences
    assert.deepInclude(difference, { value: 5, by: "bootstrap" })
    assert.approximately(widthOf(difference!), widthOf(one!.differences[0]!) / Math.sqrt(8), 1)
  })

  it("draws divergences answer by answer, where both were measured on the same ones", () => {
    const judged = (divergence: (at: number) => number, names = "a"): Judged => {
      const all = Array.from({ length: 50 }, (_, at) => [`${names}${at}`, { sum: divergence(at), tokens: 2 }] as const)
      const sum = all.reduce((total, [, each]) => total + each.sum, 0)
      const score = { ...scoreOf((row) => row < 50), divergence: sum / 100, divergenceTokens: 100 }
      return { evaluation: evaluationOf(score), divergences: [new Map(all)] }
    }
    const klOf = (...all: readonly Judged[]) =>
      compareEvaluations(all).find(({ name }) => name === "KL / token")!.differences[0]!
    // Answers differ a hundred times more from each other than the models do in each of them.
    const first = judged((at) => at)
    const found = klOf(
      first,
      judged((at) => at + 0.02 + 0.001 * (at % 7))
    )
    assert.strictEqual(found.by, "bootstrap")
    assert.isBelow(found.low!, found.value)
    assert.isAbove(found.low!, 0.01)
    assert.isBelow(found.high!, 0.013)
    assert.deepStrictEqual(
      found,
      klOf(
        first,
        judged((at) => at + 0.02 + 0.001 * (at % 7))
      )
    )
    assert.notProperty(
      klOf(
        first,
        judged((at) => at, "b")
      ),
      "low"
    )
    // What was kept is not what the score is of.
    assert.notProperty(
      klOf(first, { ...judged((at) => at), divergences: [new Map([["a0", { sum: 1, tokens: 1 }]])] }),
      "low"
    )
  })
})
