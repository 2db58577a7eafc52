/** How long a stage takes that calibrates: its work is by the sequences that there are. */
import type { Compat, RecipeSettings } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { dataExtent, extentLine } from "../planning/dataExtent.ts"
import { type StageFiles, stageTime, type Work } from "../planning/stageTime.ts"
import { type Calibration, seesImages } from "./calibration.ts"
import { type recordsExtent, type SequencesExtent, sequencesOf } from "./extent.ts"

interface CalibratedWork<E, R> {
  readonly calibration: Calibration
  readonly compat: typeof Compat.Type
  /** As far as it is known without the data. */
  readonly extent: ReturnType<typeof recordsExtent>
  readonly work: (sequences: SequencesExtent) => Effect.Effect<Option.Option<Work>, E, R>
  readonly files: StageFiles & { readonly recipe: RecipeSettings }
}

/** The time of the stage, and what is told of the records where they can be looked at. */
export const calibratedTime = Effect.fnUntraced(function* <E, R>(options: CalibratedWork<E, R>) {
  const { calibration, compat, extent, work, files } = options
  const records = seesImages(calibration) ? yield* dataExtent(calibration, compat, files.recipe) : Option.none()
  const found = yield* stageTime(yield* work(sequencesOf(extent, records)), files)
  return { ...found, lines: [...Option.toArray(Option.map(records, extentLine)), ...found.lines] }
})
