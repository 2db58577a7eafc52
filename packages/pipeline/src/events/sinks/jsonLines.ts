/** events.jsonl: one event a line, written by every run. A line torn by a crash is cut off when the run continues. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import { whileDoing } from "../../files/storage.ts"
import { canonicalJson } from "../../json/canonicalJson.ts"
import type { Sink } from "../Events.ts"

const newline = 10
const tailBytes = 65536

/** Opens `file` for appending, its last line whole. */
export const jsonLinesSink = Effect.fn("jsonLinesSink")(
  function* (file: string): Effect.fn.Return<Sink, PlatformError, FileSystem.FileSystem | Scope.Scope> {
    const fs = yield* FileSystem.FileSystem
    const output = yield* fs.open(file, { flag: "a+" })
    const end = Number((yield* output.stat).size)
    const whole = yield* lastLineEnd(output, end)
    if (whole < end) yield* fs.truncate(file, whole)

    let pending: Array<string> = []
    let broken = false
    return {
      write: ({ at, stage, tag, warning, line, json }) => {
        const time = new Date(at).toISOString()
        const place = stage === undefined ? {} : { stage }
        // A warning carries its words, so that a report can show kinds that it does not know.
        const words = warning ? { warning: line() ?? tag } : {}
        pending.push(`${canonicalJson({ at: time, event: tag, ...place, ...words, data: json() })}\n`)
      },
      flush: Effect.suspend(() => {
        if (broken || pending.length === 0) return Effect.void
        const text = pending.join("")
        pending = []
        return output.writeAll(new TextEncoder().encode(text)).pipe(
          // After half a line, no further line may follow it in this process.
          Effect.tapError(() => Effect.sync(() => (broken = true))),
          whileDoing("write the event log", file)
        )
      })
    }
  },
  (self, file) => whileDoing("open the event log", file)(self)
)

/** Offset just after the last newline, 0 without one. */
const lastLineEnd = Effect.fnUntraced(function* (file: FileSystem.File, end: number) {
  for (let stop = end; stop > 0; stop -= tailBytes) {
    const start = Math.max(0, stop - tailBytes)
    const block = new Uint8Array(stop - start)
    yield* file.read(block, { position: BigInt(start) })
    const found = block.lastIndexOf(newline)
    if (found >= 0) return start + found + 1
  }
  return 0
})
