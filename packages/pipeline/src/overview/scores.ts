/** The scores that a run has so far, from the reports of its finished stages. */
import { ifPresent, readText } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { stagesName } from "../directory/RunDirectory.ts"
import type { Table } from "../report/Report.ts"
import { reportName, StageReport } from "../report/StageReport.ts"

/** Title of the table of scores in a stage's report. */
const scoresTitle = "Evaluation"
const decodeSections = Schema.decodeUnknownEffect(StageReport)

/** The table of scores of the last finished stage that has one; a report that cannot be read has none. */
export const scoresSoFar = Effect.fn("scoresSoFar")(function* (
  directory: string,
  stages: ReadonlyArray<{ readonly place: string; readonly state: string }>
) {
  const path = yield* Path.Path
  for (const { place, state } of stages.toReversed()) {
    if (state !== "finished") continue
    const file = path.join(directory, stagesName, place, reportName)
    const text = Option.getOrUndefined(yield* Effect.option(ifPresent(readText(file))))
    const sections = text === undefined ? [] : yield* Effect.orElseSucceed(decodeSections(text), () => [])
    const table = sections.find(
      (each): each is typeof Table.Type => each._tag === "Table" && each.title === scoresTitle
    )
    if (table !== undefined) return table
  }
  return undefined
})
