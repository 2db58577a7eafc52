/** How the runs of an ablation are compared: by the scores of their last evaluation, and its divergence from the full-precision model. Sizes stand beside them, and right answers by kind below. */
import { paperAverage } from "@speedq/evaluation"
import type { Judgement, Measure } from "@speedq/pipeline"
import { divergenceOf, type Evaluation, sizes } from "./Evaluation.ts"
import { kindTables } from "./kindTable.ts"

const average: Measure<Evaluation> = {
  name: "average of 8",
  of: ({ scores }) => paperAverage(scores) ?? null,
  write: (value) => value.toFixed(1)
}

const measuresOf = ({ scores }: Evaluation): readonly Measure<Evaluation>[] => [
  ...(paperAverage(scores) === undefined ? [] : [average]),
  ...scores.map(
    ({ data }): Measure<Evaluation> => ({
      name: data,
      of: (evaluation) => evaluation.scores.find((score) => score.data === data)?.overall ?? null,
      write: (value) => value.toFixed(1)
    })
  ),
  { name: "KL / token", of: divergenceOf, write: (value) => value.toPrecision(3) },
  ...sizes
]

export const byLastEvaluation: Judgement<Evaluation> = {
  resultOf: (output) => (output as { readonly evaluations?: readonly Evaluation[] } | undefined)?.evaluations?.at(-1),
  measuresOf,
  tablesOf: kindTables,
  judges: ["evaluate"],
  otherwise: "its last stage must be evaluate"
}
