/** What a run's report says: its results first, then how far it is, what steps and layers told, what the stages add, and what it rests on. */
import { ifPresent, publicText, readText } from "@speedq/formats"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { Json } from "effect/Schema"
import * as Schema from "effect/Schema"
import { readManifest } from "../checkpoints/StageManifest.ts"
import { eventsFileName, stagesName } from "../directory/RunDirectory.ts"
import { type eventReader, readEvents } from "../events/readEvents.ts"
import { isJsonArray, isJsonObject } from "../json/canonicalJson.ts"
import { layerMaps } from "../report/layerMap.ts"
import { publicSection } from "../report/publicSection.ts"
import type { Chapter, Report, Section } from "../report/Report.ts"
import { reportName, StageReport } from "../report/StageReport.ts"
import { originSections } from "./originSections.ts"
import { progressLine, runSections } from "./runSections.ts"
import { stageHistories } from "./stageHistory.ts"
import { layersTold, layerTable, metricCharts } from "./stageSections.ts"
import { ending, type StageStatus, status } from "./status.ts"

/** Seconds after which the page of a run that works is looked at again. */
const refreshSeconds = 60

interface OwnChapter extends Chapter {
  readonly stage: StageStatus
  readonly told: ReturnType<typeof layersTold>
}

/**
 * The report of the run in `directory` as it stands, `working` as long as more is to come; none where there is no run. Whoever writes it
 * again and again gives the `reader` of its log, which reads only what was added.
 */
export const runReport = Effect.fn("runReport")(function* (
  directory: string,
  working = false,
  reader: ReturnType<typeof eventReader> | undefined = undefined
) {
  const path = yield* Path.Path
  const found = yield* status(directory)
  if (Option.isNone(found)) return Option.none<Report>()
  const run = found.value
  const { events } = yield* reader ?? readEvents(path.join(directory, eventsFileName))
  const histories = stageHistories(events)
  const historyOf = (key: string | undefined) => histories.get(key ?? "")
  const toldOf = ({ key }: StageStatus) => historyOf(key)?.events ?? []
  const { name, model, seed, stages: configs } = isJsonObject(run.record.recipe) ? run.record.recipe : {}
  const directoryOf = ({ place }: StageStatus) => path.join(directory, stagesName, place)
  const stages = yield* Effect.forEach(run.stages, (stage, index) =>
    Effect.map(ownSections(path.join(directoryOf(stage), reportName)), (own): OwnChapter => {
      const title = titleOf(isJsonArray(configs) ? configs[index] : undefined)
      return {
        stage,
        title: title === undefined ? stage.place : `${stage.place}: ${title}`,
        sections: own.filter(({ _tag }) => _tag !== "Layers"),
        told: layersTold(own, toldOf(stage))
      }
    })
  )
  const manifests = yield* Effect.forEach(run.stages, (stage) =>
    Effect.map(readManifest(directoryOf(stage)), (read) => Option.getOrUndefined(read)?.manifest)
  )
  const valid = run.stages.filter(({ state }) => state !== "stale")
  const curves = metricCharts(valid.map((stage) => ({ stage: stage.place, events: toldOf(stage) })))
  const standing = stages.filter(({ stage }) => stage.state !== "stale")
  const maps = layerMaps(standing.map(({ stage, told }) => ({ ...told, stage: stage.place })))
  const isDone = run.stages.every(({ state }) => state === "finished")
  const results = isDone ? front(standing) : front(standing).map(soFar)
  const state = working ? { state: "running", message: undefined } : ending(run.stages, events)
  const headline: Section = {
    _tag: "Headline",
    title: "",
    sentence: progressLine(String(name), run.stages, state.state),
    figures: []
  }
  const chapters: ReadonlyArray<Chapter> = [
    { title: "The run", sections: runSections(run, events, historyOf) },
    { title: "Curves", sections: curves },
    { title: "Layers", sections: maps },
    ...sayOnce(stages.map(chapterOf)),
    { title: "What it rests on", sections: originSections(run, state, manifests) }
  ]
  return Option.some<Report>({
    title: String(name),
    subtitle: publicText(`model ${String(model)}, seed ${String(seed)}`),
    writtenAt: yield* Clock.currentTimeMillis,
    ...(working ? { refresh: refreshSeconds } : {}),
    front: [...(results.some(({ _tag }) => _tag === "Headline") ? [] : [headline]), ...results].map(publicSection),
    chapters: chapters
      .filter(({ sections }) => sections.length > 0)
      .map((chapter) => ({ ...chapter, sections: chapter.sections.map(publicSection) }))
  })
})

/** What a recipe calls a stage, where it does. */
const titleOf = (config: Json | undefined): string | undefined =>
  isJsonObject(config) && typeof config.title === "string" ? config.title : undefined

const isFront = (section: Section): boolean => "front" in section && section.front === true

/** What a reader looks for first: of sections with one title those of the newest stage, in its order. */
const front = (stages: ReadonlyArray<OwnChapter>): ReadonlyArray<Section> => {
  const newest = new Map<string, Section>()
  for (const section of stages.flatMap(({ sections }) => sections.filter(isFront))) {
    newest.delete(section.title)
    newest.set(section.title, section)
  }
  return [...newest.values()]
}

/** A headline of results that are not the last ones of the run. */
const soFar = (section: Section): Section =>
  section._tag === "Headline" ? { ...section, sentence: `So far: ${section.sentence}` } : section

/** The chapter of a stage without what stands at the front. One that is stale keeps it: it stands for itself, and says that it no longer holds. */
const chapterOf = ({ stage, title, sections: own, told }: OwnChapter): Chapter => {
  const sections = [...own, ...layerTable(told.layers)]
  if (stage.state !== "stale") return { title, sections: sections.filter((section) => !isFront(section)) }
  return {
    title: `${title} (stale)`,
    sections: sections.length === 0 ? [] : [staleNotice, ...sections],
    stale: true
  }
}

const staleNotice: Section = {
  _tag: "Text",
  title: "",
  paragraphs: [
    "Stale: this was made before the recipe, its data or an earlier stage changed. It will be computed again when its turn comes."
  ]
}

/**
 * Leaves out what an earlier chapter says in the same words: several exports of one model have the same layers. A stale chapter
 * stands for itself.
 */
const sayOnce = (chapters: ReadonlyArray<Chapter>): ReadonlyArray<Chapter> => {
  const said = new Set<string>()
  const isNew = (section: Section) => {
    // Small tables may agree by chance.
    if (section._tag !== "Table" || section.rows.length <= 5) return true
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
