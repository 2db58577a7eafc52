/** What a run's report says: its stages and warnings, what steps and layers told, and what the stages add themselves. */
import { ifPresent, publicText, readText } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { Json } from "effect/Schema"
import * as Schema from "effect/Schema"
import { eventsFileName, stagesName } from "../directory/RunDirectory.ts"
import { readEvents } from "../events/readEvents.ts"
import { isJsonArray, isJsonObject } from "../json/canonicalJson.ts"
import { publicSection } from "../report/publicSection.ts"
import type { Chapter, Report, Section } from "../report/Report.ts"
import { reportName, StageReport } from "../report/StageReport.ts"
import { runSections } from "./runSections.ts"
import { stageHistories } from "./stageHistory.ts"
import { layerSections, metricCharts } from "./stageSections.ts"
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
  const { name, model, seed, stages: configs } = isJsonObject(run.record.recipe) ? run.record.recipe : {}
  const stages = yield* Effect.forEach(run.stages, ({ place, key, state }, index) => {
    const told = historyOf(key)?.events ?? []
    const title = titleOf(isJsonArray(configs) ? configs[index] : undefined)
    const chapter = (own: ReadonlyArray<Section>): Chapter => ({
      title: title === undefined ? place : `${place}: ${title}`,
      sections: [...own, ...metricCharts(told), ...layerSections(told)]
    })
    const chapters = Effect.map(ownSections(path.join(directory, stagesName, place, reportName)), chapter)
    return state === "stale" ? Effect.map(chapters, asStale) : chapters
  })
  const chapters = sayOnce(stages)
  return Option.some<Report>({
    title: String(name),
    subtitle: publicText(`model ${String(model)}, seed ${String(seed)}`),
    chapters: [
      { title: "The run", sections: [...results(stages), ...runSections(run, events, historyOf)] },
      ...chapters.filter(({ sections }) => sections.length > 0)
    ].map((chapter) => ({ ...chapter, sections: chapter.sections.map(publicSection) }))
  })
})

/** What a recipe calls a stage, where it does. */
const titleOf = (config: Json | undefined): string | undefined =>
  isJsonObject(config) && typeof config.title === "string" ? config.title : undefined

const asStale = ({ title, sections }: Chapter): Chapter => ({
  title: `${title} (stale)`,
  sections: sections.length === 0 ? [] : [staleNotice, ...sections],
  stale: true
})

const staleNotice: Section = {
  _tag: "Text",
  title: "",
  paragraphs: [
    "Stale: this was made before the recipe, its data or an earlier stage changed. It will be computed again when its turn comes."
  ]
}

/** What a reader looks for first: the scores of all models that were asked. Newer ones that are stale stand below them, and say so. */
const results = (stages: ReadonlyArray<Chapter>): ReadonlyArray<Section> => {
  const scores = stages.flatMap(({ title, sections, stale = false }) =>
    sections.flatMap((each) =>
      each._tag === "Table" && each.title === "Evaluation" ? [{ title, table: each, stale }] : []
    )
  )
  const valid = scores.findLast(({ stale }) => !stale)
  const last = scores.at(-1)
  return [
    ...(valid === undefined ? [] : [{ ...valid.table, title: "Scores" }]),
    ...(last?.stale ? [{ ...last.table, title: `Scores of ${last.title}`, stale: [...last.table.rows.keys()] }] : [])
  ]
}

/**
 * Leaves out what an earlier chapter says in the same words: several exports of one model have the same layers. A stale chapter
 * stands for itself.
 */
const sayOnce = (chapters: ReadonlyArray<Chapter>): ReadonlyArray<Chapter> => {
  const said = new Set<string>()
  const isNew = (section: Section) => {
    // Curves and small tables may agree by chance.
    if (section._tag !== "BarChart" && !(section._tag === "Table" && section.rows.length > 5)) return true
    const words = JSON.stringify(section)
    return !said.has(words) && said.add(words)
  }
  return chapters.map((chapter) => (chapter.stale ? chapter : { ...chapter, sections: chapter.sections.filter(isNew) }))
}

const decodeSections = Schema.decodeUnknownEffect(StageReport)

/** What a stage contributed; a file that is damaged is said to be, since the rest of the report is still worth having. */
const ownSections = Effect.fnUntraced(function* (file: string) {
  return yield* ifPresent(readText(file)).pipe(
    Effect.flatMap((text) => (text === undefined ? Effect.succeed([]) : decodeSections(text))),
    Effect.catch((error) =>
      Effect.succeed<ReadonlyArray<Section>>([
        { _tag: "Text", title: "", paragraphs: [`${file} cannot be read: ${error.message}`] }
      ])
    )
  )
})
