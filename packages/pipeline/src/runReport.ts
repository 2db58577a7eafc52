/** What a run's report says: its stages and warnings, what steps and layers told, and what the stages add themselves. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { isJsonObject } from "./canonicalJson.ts"
import type { Report, Section } from "./Report.ts"
import { eventsFileName, stagesName } from "./RunDirectory.ts"
import { readEvents } from "./readEvents.ts"
import { runSections } from "./report/runSections.ts"
import { layerSections, metricCharts } from "./report/stageSections.ts"
import { reportName, StageReport } from "./runStage.ts"
import { stageHistories } from "./stageHistory.ts"
import { status } from "./status.ts"

/** The report of the run in `directory` as it stands; none where there is no run. */
export const runReport = Effect.fn("runReport")(function* (directory: string) {
  const path = yield* Path.Path
  const found = yield* status(directory)
  if (Option.isNone(found)) return Option.none<Report>()
  const run = found.value
  const { events } = yield* readEvents(path.join(directory, eventsFileName))
  const histories = stageHistories(events)
  const historyOf = (key: string | undefined) => histories.get(key ?? "")
  const stages = yield* Effect.forEach(run.stages, ({ place, key }) => {
    const told = historyOf(key)?.events ?? []
    return Effect.map(ownSections(path.join(directory, stagesName, place, reportName)), (own) => ({
      title: place,
      sections: [...own, ...metricCharts(told), ...layerSections(told)]
    }))
  })
  const { name, model, seed } = isJsonObject(run.record.recipe) ? run.record.recipe : {}
  return Option.some<Report>({
    title: String(name),
    subtitle: `model ${String(model)}, seed ${String(seed)}`,
    chapters: [
      { title: "The run", sections: runSections(run, events, historyOf) },
      ...stages.filter(({ sections }) => sections.length > 0)
    ]
  })
})

const decodeSections = Schema.decodeUnknownEffect(StageReport)

/** What a stage contributed; a file that is damaged is said to be, since the rest of the report is still worth having. */
const ownSections = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* Effect.orElseSucceed(fs.exists(file), () => false))) return []
  return yield* fs.readFileString(file).pipe(
    Effect.flatMap(decodeSections),
    Effect.catch((error) =>
      Effect.succeed<ReadonlyArray<Section>>([
        { _tag: "Text", title: "", paragraphs: [`${file} cannot be read: ${error.message}`] }
      ])
    )
  )
})
