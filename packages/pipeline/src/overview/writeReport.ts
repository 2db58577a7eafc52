/** Writes report.html of a run. */
import { AtomicFile } from "@speedq/formats"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { reportFileName } from "../directory/RunDirectory.ts"
import { whileDoing } from "../files/storage.ts"
import { renderReport } from "../report/renderReport.ts"
import { runReport } from "./runReport.ts"

/** How often the report is written while a run works, besides after every stage. */
export const ReportEvery = Context.Reference<Duration.Duration>("@speedq/pipeline/ReportEvery", {
  defaultValue: () => Duration.minutes(3)
})

/** Writes the report of the run in `directory`, `working` as long as more is to come, and returns its path; none where there is no run. */
export const writeReport = Effect.fn("writeReport")(function* (...of: Parameters<typeof runReport>) {
  const path = yield* Path.Path
  const [directory] = of
  const report = yield* runReport(...of)
  if (Option.isNone(report)) return Option.none<string>()
  const file = path.join(directory, reportFileName)
  const page = new TextEncoder().encode(renderReport(report.value))
  yield* whileDoing("write the report", file)(AtomicFile.writeWhole(file, page))
  return Option.some(file)
})
