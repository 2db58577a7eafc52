/** What an evaluation tells, as events of a run: a bar with the time left on a terminal, plain lines elsewhere. */
import type { Progress } from "@speedq/evaluation"
import { CurrentStage, Events, emit, RunEvents } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { Note } from "../command/progress.ts"

const tell = (told: Progress): Effect.Effect<void, never, Events> => {
  switch (told._tag) {
    case "Started": {
      const { rows, answered, dropped } = told
      const started = emit(RunEvents.StageStarted, { key: "", from: answered, steps: rows, unit: "row" })
      const message = `${dropped} rows of the file have no image and are skipped`
      return dropped === 0 ? started : Effect.andThen(emit(RunEvents.Warning, { message }), started)
    }
    case "PublishedFile": {
      const { file, md5, url } = told
      return emit(Note, { message: `${file} is the published file, ${url} (md5 ${md5})` })
    }
    case "NotThePublishedFile": {
      const { file, md5, published, url } = told
      const message = `${file} (md5 ${md5}) is not the published file (md5 ${published}, ${url}); its scores are not comparable with published ones`
      return emit(RunEvents.Warning, { message })
    }
    case "JournalDamaged": {
      const { file, lines } = told
      const message = `${lines} damaged or torn lines of ${file} are left out; rows without an answer are asked again`
      return emit(RunEvents.Warning, { message })
    }
    case "RowsChanged": {
      const { file, kept, changed, gone } = told
      const again = changed === 0 ? "" : `, ${changed} rows changed and are asked again`
      const left = gone === 0 ? "" : `, ${gone} are no longer there`
      const message = `${file} changed: ${kept} answers stand${again}${left}`
      return emit(RunEvents.Warning, { message })
    }
    case "Answered":
      return emit(RunEvents.StepDone, { step: told.done, steps: told.total, metrics: {}, unit: "row" })
    case "CellsCut": {
      const { file, cells } = told
      const message = `${cells.length} answers did not fit into cells of ${file} and were cut; --format tsv keeps them whole`
      return emit(RunEvents.Warning, { message })
    }
    case "Written":
      return Effect.void
  }
}

/** For `EvaluateOptions.onProgress`; every step belongs to `benchmark`. */
export const evaluationProgress = (benchmark: string) =>
  Effect.map(
    Events,
    (events) => (told: Progress) =>
      tell(told).pipe(Effect.provideService(Events, events), Effect.provideService(CurrentStage, benchmark))
  )
