/** The directory of answers, which one process at a time fills. */
import { acquireLock, madeDirectory, whileDoing } from "@speedq/pipeline"
import * as Effect from "effect/Effect"

/** Makes it where it is not there, and locks it for the life of the scope. Fails with RunLocked while another one writes it. */
export const holdDirectory = Effect.fnUntraced(function* (directory: string) {
  yield* whileDoing("make the directory", directory)(madeDirectory(directory))
  return yield* acquireLock(directory)
})
