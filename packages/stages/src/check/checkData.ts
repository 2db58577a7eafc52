/** Looks at all that a stage will be trained on, as training sees it, before any training. */
import { dirname } from "node:path"
import { CurrentStage, emit, RunEvents } from "@speedq/pipeline"
import { type DatasetPart, openModelDirectory, openTrainingData } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { RecordLook } from "../data/recordLook.ts"
import { ascending } from "../data/recordSurvey.ts"
import { makingOf } from "../data/SampleSource.ts"
import { type RemoteLoader, SampleWorkers } from "../data/SampleWorkers.ts"
import { requireAnnotations } from "../planning/mixtureForecast.ts"
import type { CheckedData } from "./checkedData.ts"
import { type DataCheck, type DatasetCheck, type NamedLine, quantilesOf } from "./DataCheck.ts"
import { problemsOf, warningsOf } from "./verdict.ts"

/** Records that a thread looks at for one request. */
const together = 32

/** The first sample of each selected line, in the order of the file. */
const samplesOf = ({ selected, first }: DatasetPart): readonly number[] => {
  const sampleOf = new Map<number, number>()
  for (const [at, line] of selected.entries()) if (!sampleOf.has(line)) sampleOf.set(line, first + at)
  return Array.from(ascending(selected), (line) => sampleOf.get(line)!)
}

/** What is found at each sample, with the progress told as steps of the data set. */
const lookAt = Effect.fnUntraced(function* (
  loader: RemoteLoader,
  samples: readonly number[],
  decode: boolean,
  requests: number
) {
  const steps = samples.length
  yield* emit(RunEvents.StageStarted, { key: "", from: 0, steps, unit: "record" })
  let step = 0
  const shares = Array.from({ length: Math.ceil(steps / together) }, (_, share) =>
    samples.slice(share * together, (share + 1) * together)
  )
  const looks = yield* Effect.forEach(
    shares,
    (share) =>
      Effect.tap(loader.look(share, decode), () => {
        step += share.length
        return emit(RunEvents.StepDone, { step, steps, metrics: {}, unit: "record" })
      }),
    { concurrency: requests }
  )
  return looks.flat()
})

/** Why a look's line is to be named; undefined where all of its answer is learned or some of it. */
const faultOf = (look: RecordLook, maxLength: number): Pick<NamedLine, "fault" | "reason"> | undefined => {
  if (look._tag === "Bad") return look
  if (look.answerTokens > 0) return undefined
  return look.cut > 0
    ? {
        fault: "answer cut off",
        reason: `of ${look.tokens} tokens the first ${maxLength} are kept, and no answer is among them`
      }
    : { fault: "no answer", reason: "it has no answer to learn from" }
}

const countsOf = <K extends string>(keys: readonly K[]): { readonly [key in K]?: number } => {
  const counts: { [key in K]?: number } = {}
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1
  return counts
}

const datasetCheck = (
  { dataset, file, selected }: DatasetPart,
  looks: readonly RecordLook[],
  named: readonly NamedLine[]
): DatasetCheck => {
  const usable = looks.flatMap((look) => (look._tag === "Usable" ? [look] : []))
  return {
    name: dataset.name,
    annotation: dataset.annotation,
    lines: file.lines,
    samples: selected.length,
    records: looks.length,
    usable: usable.length,
    shows: { text: 0, image: 0, images: 0, video: 0, ...countsOf(usable.map(({ shows }) => shows)) },
    tokens: quantilesOf(usable.map(({ tokens }) => tokens)),
    tiles: usable.reduce(({ total, max }, { tiles }) => ({ total: total + tiles, max: Math.max(max, tiles) }), {
      total: 0,
      max: 0
    }),
    cut: usable.filter(({ cut }) => cut > 0).length,
    faults: countsOf(named.map(({ fault }) => fault))
  }
}

/**
 * Reads every record that a stage selects, the headers of what it shows (all of its pixels with `decode`), and makes its tokens.
 * Nothing that is wrong with a record fails. Fails with DatasetInvalid and FileFailed where a file cannot be read as a whole, as
 * openModelDirectory does, with DataUnusable for a codec that is missing, and with SampleWorkerFailed.
 */
export const checkData = Effect.fn("checkData")(function* (checked: CheckedData, { decode = false } = {}) {
  const { data, compat, recipe, stages } = checked
  const { meta, percent, maxLength } = data
  yield* openModelDirectory(recipe.model)
  yield* requireAnnotations(meta)
  const mixture = yield* openTrainingData({ meta, base: dirname(meta), percent, seed: recipe.seed })
  const workers = yield* SampleWorkers
  const threads = data.workers ?? workers.count
  const making = makingOf(data, compat)
  const plan = { model: recipe.model, index: mixture.index, ...making, seed: checked.seed, dropped: new Set<number>() }
  const loader = yield* workers.open(plan, threads)
  const datasets: DatasetCheck[] = []
  const namedOf: (readonly NamedLine[])[] = []
  for (const part of mixture.parts) {
    const samples = samplesOf(part)
    const looks = yield* lookAt(loader, samples, decode, 2 * threads).pipe(
      Effect.provideService(CurrentStage, part.dataset.name)
    )
    const own = looks.flatMap((look, at): readonly NamedLine[] => {
      const fault = faultOf(look, maxLength)
      const { file, line } = mixture.origin(samples[at]!)
      return fault === undefined
        ? []
        : [{ dataset: part.dataset.name, file, line, fault: fault.fault, reason: fault.reason }]
    })
    namedOf.push(own)
    datasets.push(datasetCheck(part, looks, own))
  }
  const found = { stages, data, recipe, decoded: decode, datasets, named: namedOf.flat() }
  const check: DataCheck = {
    ...found,
    problems: problemsOf(found, making.quirks.substitutions),
    warnings: warningsOf(found)
  }
  return check
}, Effect.scoped)
