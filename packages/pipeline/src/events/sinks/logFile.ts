/** Events as lines of text at the end of a file, each with its time: what a terminal shows, to be kept. */
import { printable } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { madeDirectory, whileDoing } from "../../files/storage.ts"
import { formatTime } from "../../text/format.ts"
import { isEntryOf, type Sink } from "../Events.ts"
import { RunFailed } from "../runEvents.ts"
import { plainLinesSink } from "./plainLines.ts"

/** Appends to `file`; steps are there as rarely as in plain lines. */
export const logFileSink = Effect.fn("logFileSink")(
  function* (file: string) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    yield* madeDirectory(path.dirname(path.resolve(file)))
    const output = yield* fs.open(file, { flag: "a" })
    let pending = ""
    let time = ""
    const lines = plainLinesSink({
      write: (text) => {
        pending += `${time} ${text}`
      },
      isTerminal: false,
      hasColors: false,
      columns: () => Number.POSITIVE_INFINITY
    })
    const sink: Sink = {
      write: (entry) => {
        time = formatTime(entry.at)
        lines.write(entry)
        // Nobody else writes into the file why the run failed.
        if (isEntryOf(RunFailed, entry)) pending += `${time} ${printable(`error: ${entry.event.message}`)}\n`
      },
      flush: Effect.suspend(() => {
        const text = pending
        pending = ""
        return output.writeAll(new TextEncoder().encode(text)).pipe(whileDoing("write the log file", file))
      })
    }
    return sink
  },
  (self, file) => whileDoing("open the log file", file)(self)
)
