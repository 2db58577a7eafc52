/** What of a data set stands in the way of a stage. */
import { existsSync } from "node:fs"
import type { Forecast } from "@speedq/pipeline"
import { substitutionProblem } from "../data/expectedStops.ts"
import { type LookedRecords, unusableRecords } from "./lookedRecords.ts"

/** Things of a kind that are named. */
export const mostNamed = 3

/** Of several: each, or how many there are and the first. */
export const listed = (count: number, first: readonly string[]): string =>
  count <= mostNamed ? first.join(", ") : `${first[0]} and ${count - 1} more`

export const getData = "get the data set, or take it out of the meta file"

/** How a stage deals with records that it cannot use. */
interface Handling {
  /** The mixture's file, and the option of the stage that names it. */
  readonly meta: string
  readonly option: string
  /** Times in a row that another record takes the place of one that cannot be used. */
  readonly substitutions: number
}

interface Fault {
  readonly line: number
  readonly reason: string
}

const named = (annotation: string, { line, reason }: Fault): string => `${annotation}:${line + 1}: ${reason}`

/** Records that cannot be used, by what is wrong with them. */
const faultsOf = ({ part: { dataset }, records, pictures, unreadable }: LookedRecords) => {
  const at = (faults: readonly Fault[]) => faults.map((fault) => named(dataset.annotation, fault))
  const reasons = (faults: ReadonlyMap<number, string>) => at([...faults].map(([line, reason]) => ({ line, reason })))
  return [
    { what: "lines are no records", each: reasons(records.noRecords) },
    { what: "records cannot be used", each: reasons(records.refused) },
    {
      what: "pictures do not exist",
      each: pictures.missing.map(({ line, path }) => `${path} (${dataset.annotation}:${line + 1})`)
    },
    { what: "pictures cannot be read", each: at(unreadable) }
  ].filter(({ each }) => each.length > 0)
}

/** What makes a data set useless, whatever becomes of single records. */
const uselessSet = (looked: LookedRecords, { meta, substitutions }: Handling): readonly Forecast.Obstacle[] => {
  const { part, pictures, records } = looked
  const { dataset, selected } = part
  const { count, missing } = pictures
  if (count > 0 && !existsSync(dataset.root)) {
    const issue = `${dataset.root}, the root of data set ${dataset.name} in ${meta}, does not exist`
    return [{ issue, fix: getData }]
  }
  const isTextToo = records.shown.some((shown) => shown?.kind === "text")
  if (count > 0 && missing.length === count && !isTextToo) {
    return [{ issue: `none of the pictures of data set ${dataset.name} exists below ${dataset.root}`, fix: getData }]
  }
  const looks = records.lines.length
  if (looks > 0 && records.noRecords.size === looks) {
    return [{ issue: `no selected line of ${dataset.annotation} is a record`, fix: getData }]
  }
  if (substitutions === 0) return []
  const usable = looks - unusableRecords(looked)
  const share = { name: dataset.name, samples: selected.length, records: looks, usable }
  const problem = substitutionProblem(share, substitutions)
  return problem === undefined ? [] : [{ issue: `${problem}; see ${faultsOf(looked)[0]!.each[0]}` }]
}

/** Everything that would end the stage, or the data set's use. */
export const datasetObstacles = (looked: LookedRecords, handling: Handling): readonly Forecast.Obstacle[] => {
  const useless = uselessSet(looked, handling)
  if (useless.length > 0 || handling.substitutions > 0) return useless
  const fix = `repair them, take their lines out, or set ${handling.option}.onError to "substitute"`
  return faultsOf(looked).map(({ what, each }) => ({
    issue: `${each.length} ${what}: ${listed(each.length, each.slice(0, mostNamed))}`,
    fix
  }))
}
