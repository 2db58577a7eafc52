/** The results as a report begins with them: a sentence, a small table, and quality against size. The whole table of scores is folded. */
import { paperAverage } from "@speedq/evaluation"
import type { Report } from "@speedq/pipeline"
import { type BenchmarkScore, divergenceOf, type Evaluation, evaluationTable } from "./Evaluation.ts"
import { nameOf, shareOf, writtenScore } from "./shares.ts"

/** More benchmarks than these are shown by their mean. */
const mostNamed = 2

/** The model whose quality the others are to keep: the full-precision one. */
export const referenceOf = (evaluations: readonly Evaluation[]): Evaluation | undefined =>
  evaluations.find(({ made }) => made === "source")

/** The paper's average where all of its benchmarks were asked, else the mean of all; no number without any. */
const meanScore = ({ scores }: Evaluation): number =>
  paperAverage(scores) ?? scores.reduce((sum, { overall }) => sum + overall, 0) / scores.length

const meanName = ({ scores }: Evaluation): string =>
  paperAverage(scores) === undefined ? `mean of ${scores.length}` : "average of 8"

const percentOf = (part: number, whole: number): string => {
  const share = Math.min(100, (100 * part) / whole)
  return `${Number(share.toFixed(1))} %`
}

interface Kept {
  readonly name: string
  /** What of the reference's score is left; all of it where it is higher. */
  readonly share: string
  readonly score: string
}

/** What a model keeps of the reference, benchmark by benchmark where they are few. */
const keptOf = (evaluation: Evaluation, reference: Evaluation): readonly Kept[] => {
  if (evaluation.scores.length > mostNamed) {
    const mean = meanScore(evaluation)
    return [
      { name: `the ${meanName(evaluation)}`, share: percentOf(mean, meanScore(reference)), score: mean.toFixed(1) }
    ]
  }
  return evaluation.scores.flatMap((score) => {
    const whole = reference.scores.find(({ data }) => data === score.data)
    if (whole === undefined || !(whole.overall > 0)) return []
    const share = percentOf(score.overall, whole.overall)
    return [{ name: nameOf(score), share, score: score.overall.toFixed(1) }]
  })
}

const listed = (parts: readonly string[]): string =>
  parts.length < 2 ? parts.join("") : `${parts.slice(0, -1).join(", ")} and ${parts.at(-1)}`

const smaller = (evaluation: Evaluation, reference: Evaluation): string =>
  `${(reference.bytes / evaluation.bytes).toFixed(1)}x`

const scoresOf = ({ scores }: Evaluation): string =>
  listed(scores.map((score) => `${score.overall.toFixed(1)} on ${nameOf(score)}`))

const headline = (recipe: string, evaluations: readonly Evaluation[]): typeof Report.Headline.Type => {
  const result = evaluations.at(-1)!
  const reference = referenceOf(evaluations)
  const said = (sentence: string, figures: (typeof Report.Headline.Type)["figures"]) =>
    ({ _tag: "Headline", title: "Headline", sentence: `${recipe}: ${sentence}`, figures, front: true }) as const
  if (reference === undefined || result === reference) return said(`${result.title} scores ${scoresOf(result)}`, [])
  const kept = keptOf(result, reference)
  const size = {
    value: smaller(result, reference),
    label: "smaller",
    detail: `${megabytes(reference)} to ${megabytes(result)} MB`
  }
  // A model that gets nothing right has nothing to keep.
  if (kept.length === 0) return said(`${size.value} smaller, scores ${scoresOf(result)}`, [size])
  const nearest = result.made === "nearest" ? undefined : evaluations.findLast(({ made }) => made === "nearest")
  const rounded = nearest === undefined ? [] : keptOf(nearest, reference)
  const beside = rounded.length === 0 ? "" : `; rounding to nearest keeps ${listed(rounded.map(({ share }) => share))}`
  return said(`${size.value} smaller, keeps ${listed(kept.map(({ name, share }) => `${share} of ${name}`))}${beside}`, [
    size,
    ...kept.map(({ name, share, score }, index) => ({
      value: share,
      label: `of ${name} kept`,
      detail: rounded[index] === undefined ? `score ${score}` : `score ${score}; rounding ${rounded[index].score}`
    }))
  ])
}

const megabytes = ({ bytes }: Evaluation): string => (bytes / 1e6).toPrecision(3)

/** Five columns: the model, its size, two numbers of its quality, and its divergence. */
const resultTable = (evaluations: readonly Evaluation[]): typeof Report.Table.Type => {
  const result = evaluations.at(-1)!
  const reference = referenceOf(evaluations)
  const few = result.scores.length <= mostNamed
  const measured = evaluations.some((evaluation) => divergenceOf(evaluation) !== null)
  const quality = (evaluation: Evaluation): readonly string[] =>
    few
      ? result.scores.map(({ data }) => {
          const score = evaluation.scores.find((each) => each.data === data)
          return score === undefined ? "" : writtenScore(score)
        })
      : [
          meanScore(evaluation).toFixed(1),
          reference === undefined ? "" : percentOf(meanScore(evaluation), meanScore(reference))
        ]
  const last = (evaluation: Evaluation): string =>
    measured ? (divergenceOf(evaluation)?.toPrecision(3) ?? "") : evaluation.bitsPerParameter.toFixed(2)
  return {
    _tag: "Table",
    title: "Results",
    columns: [
      "model",
      "MB",
      ...(few
        ? result.scores.map((score) => `${nameOf(score)}${isShare(score) ? ", %" : ""}`)
        : [meanName(result), "kept"]),
      measured ? "KL / token" : "bits / parameter"
    ],
    rows: evaluations.map((evaluation) => [
      evaluation.title,
      megabytes(evaluation),
      ...quality(evaluation),
      last(evaluation)
    ]),
    emphasis: evaluations.length - 1,
    note: [
      ...(few && result.scores.some(isShare) ? ["In brackets: 95 % Wilson intervals."] : []),
      ...(measured ? ["KL: divergence from the full-precision model, in nats."] : [])
    ].join(" "),
    front: true
  }
}

const isShare = (score: BenchmarkScore): boolean => shareOf(score) !== undefined

/** The interval of a mean of shares that are independent of each other; undefined where one has none. */
const meanInterval = ({ scores }: Evaluation): { readonly low: number; readonly high: number } | undefined => {
  const shares = scores.map(shareOf).filter((share) => share !== undefined)
  if (shares.length < scores.length || shares.length === 0) return undefined
  const mean = shares.reduce((sum, { value }) => sum + value, 0) / shares.length
  const reach = (side: (share: (typeof shares)[number]) => number) => Math.hypot(...shares.map(side)) / shares.length
  return {
    low: 100 * (mean - reach(({ value, low }) => value - low)),
    high: 100 * (mean + reach(({ value, high }) => high - value))
  }
}

const roleOf = (evaluation: Evaluation, evaluations: readonly Evaluation[]) => {
  if (evaluation.made === "source") return { role: "reference" as const }
  if (evaluation === evaluations.at(-1)) return { role: "result" as const }
  return evaluation.made === "nearest" ? { role: "baseline" as const } : {}
}

const qualityPicture = (evaluations: readonly Evaluation[]): typeof Report.Scatter.Type => {
  const result = evaluations.at(-1)!
  const alike = evaluations.filter(({ scores }) => scores.length === result.scores.length)
  const named = listed(result.scores.map(nameOf))
  const few = result.scores.length <= mostNamed
  const measure = result.scores.length === 1 ? named : few ? `mean of ${named}` : meanName(result)
  const sure = alike.some((evaluation) => meanInterval(evaluation) !== undefined)
  return {
    _tag: "Scatter",
    title: "Quality against size",
    xLabel: "MB",
    yLabel: measure,
    points: alike.map((evaluation) => ({
      name: evaluation.title,
      x: evaluation.bytes / 1e6,
      y: meanScore(evaluation),
      ...meanInterval(evaluation),
      ...roleOf(evaluation, evaluations)
    })),
    ...(sure ? { note: "Lines through the points are 95 % intervals." } : {}),
    front: true
  }
}

/** What a report shows of the evaluations so far; `recipe` is its name. */
export const resultSections = (recipe: string, evaluations: readonly Evaluation[]): readonly Report.Section[] => [
  headline(recipe, evaluations),
  resultTable(evaluations),
  ...(new Set(evaluations.map(({ bytes }) => bytes)).size > 1 ? [qualityPicture(evaluations)] : []),
  { ...evaluationTable(evaluations), front: true, folded: true }
]
