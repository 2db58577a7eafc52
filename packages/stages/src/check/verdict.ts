/** Whether a stage can be trained on data that was checked, and what it will warn of. */
import { samplesOf, substitutionProblem } from "../data/expectedStops.ts"
import { noSample } from "../data/noSample.ts"
import { emptyTally, nothingToLearn, type SampleTally, tallyWarnings } from "../data/SampleTally.ts"
import type { DataCheck, DatasetCheck } from "./DataCheck.ts"

type Found = Pick<DataCheck, "data" | "datasets" | "named">

const badOf = ({ records, usable }: DatasetCheck): number => records - usable

/** What a stage will have counted after an epoch, without what takes the places of records that cannot be used. */
const tallyOf = ({ datasets, named }: Found): SampleTally => {
  const sum = (count: (dataset: DatasetCheck) => number) =>
    datasets.reduce((total, dataset) => total + samplesOf(dataset, count(dataset)), 0)
  const first = (fault: string) => named.filter((line) => line.fault === fault).slice(0, 1)
  return {
    ...emptyTally,
    samples: sum(({ usable }) => usable),
    withoutAnswer: sum(({ faults }) => faults["no answer"] ?? 0),
    answerCut: sum(({ faults }) => faults["answer cut off"] ?? 0),
    cut: sum(({ cut }) => cut),
    first: [...first("answer cut off"), ...first("no answer")].map(({ file, line }) => `${file}:${line}`)
  }
}

/** Why the stage would end, or learn nothing. `substitutions` is how often in a row a record may be replaced. */
export const problemsOf = (found: Found, substitutions: number): readonly string[] => {
  const { data, datasets } = found
  const tally = tallyOf(found)
  const bad = datasets.reduce((sum, dataset) => sum + badOf(dataset), 0)
  if (datasets.every(({ samples }) => samples === 0)) {
    const lines = datasets.map((dataset) => dataset.lines)
    const { issue, fix } = noSample(data, lines)
    return [`${issue}; ${fix}`]
  }
  const nothing = tally.samples === 0 ? undefined : nothingToLearn(tally, data, true)
  return [
    ...(bad > 0 && substitutions === 0
      ? [
          `${bad} records cannot be used, and the stage ends at the first of them: repair them, take their lines out, or set onError to "substitute"`
        ]
      : []),
    ...(substitutions > 0 ? datasets.flatMap((dataset) => substitutionProblem(dataset, substitutions) ?? []) : []),
    ...(nothing === undefined ? [] : [nothing.message])
  ]
}

/** Shares of the samples that the stage will warn of. */
export const warningsOf = (found: Found): readonly string[] => {
  const tally = tallyOf(found)
  return tally.samples === 0 ? [] : Object.values(tallyWarnings(tally, found.data, found.data.warnShare))
}
