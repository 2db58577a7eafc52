/** Whether records that others take the places of are so many that a stage would still end. */

/** A data set, and how many of its different records can be used. */
interface UsableShare {
  readonly name: string
  /** Samples of an epoch, and the different records that they are made of. */
  readonly samples: number
  readonly records: number
  readonly usable: number
}

/** Samples of an epoch that `records` of a data set's records make. */
export const samplesOf = ({ samples, records: all }: Pick<UsableShare, "samples" | "records">, records: number) =>
  all === 0 ? 0 : Math.round((records * samples) / all)

/**
 * Samples of an epoch that end a stage although records are replaced: those of bad records for which as many draws of another one
 * find bad ones too. The expected number.
 */
const expectedStops = (set: UsableShare, substitutions: number): number => {
  const bad = set.records - set.usable
  return set.records === 0 ? 0 : samplesOf(set, bad) * (bad / set.records) ** substitutions
}

/** What is wrong with a data set in which a bad record is replaced `substitutions` times in a row at most; undefined where nothing is. */
export const substitutionProblem = (set: UsableShare, substitutions: number): string | undefined => {
  const { name, records } = set
  const bad = records - set.usable
  if (bad > 0 && bad === records) {
    return `no record of data set ${name} can be used, so nothing can take their places; take it out of the meta file`
  }
  const stops = expectedStops(set, substitutions)
  return stops < 0.5
    ? undefined
    : `${bad} of ${records} records of data set ${name} cannot be used: so many that about ${Math.ceil(stops)} times in an epoch ${substitutions} others drawn in the place of one cannot be used either, which ends the stage`
}
