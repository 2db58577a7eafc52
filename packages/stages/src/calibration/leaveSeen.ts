/** What a stage leaves of the records that it calibrated on. */
import * as Effect from "effect/Effect"
import { dataSections } from "../data/SampleTally.ts"
import { writeUsed } from "../data/usedSamples.ts"
import { type Calibration, seesImages } from "./calibration.ts"
import type { Seen } from "./seen.ts"

/** What the report says of the records, and the file that says which of them were used. Fails with StorageFailed. */
export const leaveSeen = Effect.fnUntraced(function* (
  seen: Seen | undefined,
  calibration: Calibration,
  directory: string
) {
  if (seen === undefined || !seesImages(calibration)) return { sections: [], files: [] }
  return { sections: dataSections(seen.tally, calibration), files: [yield* writeUsed(directory, seen.used)] }
})
