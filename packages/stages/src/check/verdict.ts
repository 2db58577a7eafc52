/** Whether a stage can be trained on data that was checked, and what it will warn of. */
import { emptyTally, nothingToLearn, type SampleTally, tallyWarnings } from "../data/SampleTally.ts"
import type { DataCheck, DatasetCheck } from "./DataCheck.ts"

type Found = Pick<DataCheck, "data" | "datasets" | "named">

const badOf = ({ records, usable }: DatasetCheck): number => records - usable

/** Samples of an epoch that `records` of a data set's records make. */
const samplesOf = ({ samples, records: all }: DatasetCheck, records: number): number =>
  all === 0 ? 0 : Math.round((records * samples) / all)

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

/**
 * Samples of an epoch that end a stage although records are replaced: those of bad records for which as many draws of another one
 * find bad ones too. The expected number.
 */
const expectedStops = (dataset: DatasetCheck, substitutions: number): number =>
  dataset.records === 0 ? 0 : samplesOf(dataset, badOf(dataset)) * (badOf(dataset) / dataset.records) ** substitutions

const substitutionProblems = (dataset: DatasetCheck, substitutions: number): readonly string[] => {
  const { name, records } = dataset
  const bad = badOf(dataset)
  if (bad > 0 && bad === records) {
    return [`no record of data set ${name} can be used, so nothing can take their places; take it out of the meta file`]
  }
  const stops = expectedStops(dataset, substitutions)
  if (stops < 0.5) return []
  return [
    `${bad} of ${records} records of data set ${name} cannot be used: so many that about ${Math.ceil(stops)} times in an epoch ${substitutions} others drawn in the place of one cannot be used either, which ends the stage`
  ]
}

/** Why the stage would end, or learn nothing. `substitutions` is how often in a row a record may be replaced. */
export const problemsOf = (found: Found, substitutions: number): readonly string[] => {
  const { data, datasets } = found
  const tally = tallyOf(found)
  const bad = datasets.reduce((sum, dataset) => sum + badOf(dataset), 0)
  if (datasets.every(({ samples }) => samples === 0)) {
    return [`${data.meta} selects no sample; raise data.percent, or give more data`]
  }
  const nothing = tally.samples === 0 ? undefined : nothingToLearn(tally, data, true)
  return [
    ...(bad > 0 && substitutions === 0
      ? [
          `${bad} records cannot be used, and the stage ends at the first of them: repair them, take their lines out, or set data.onError to "substitute"`
        ]
      : []),
    ...(substitutions > 0 ? datasets.flatMap((dataset) => substitutionProblems(dataset, substitutions)) : []),
    ...(nothing === undefined ? [] : [nothing.message])
  ]
}

/** Shares of the samples that the stage will warn of. */
export const warningsOf = (found: Found): readonly string[] => {
  const tally = tallyOf(found)
  return tally.samples === 0 ? [] : Object.values(tallyWarnings(tally, found.data, found.data.warnShare))
}
