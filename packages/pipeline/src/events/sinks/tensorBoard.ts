/** The numbers of all events as a TensorBoard event file, one curve `stage/name` each. */
import type { FileFailed } from "@speedq/formats"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import type * as Scope from "effect/Scope"
import { madeDirectory, whileDoing } from "../../files/storage.ts"
import { isEntryOf, type Sink } from "../Events.ts"
import { StepDone } from "../runEvents.ts"
import { scalarEvent, tfRecord, versionEvent } from "./tfRecord.ts"

/** Starts a new event file in `directory`; TensorBoard joins the files of one directory. */
export const tensorBoardSink = Effect.fn("tensorBoardSink")(
  function* (
    directory: string
  ): Effect.fn.Return<Sink, PlatformError | FileFailed, FileSystem.FileSystem | Path.Path | Scope.Scope> {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    yield* madeDirectory(directory)
    const startedAt = yield* Clock.currentTimeMillis
    const seconds = String(Math.floor(startedAt / 1000)).padStart(10, "0")
    // Where others write the name of the machine, TensorBoard takes any word.
    const file = path.join(directory, `events.out.tfevents.${seconds}.speedq.${process.pid}`)
    const output = yield* fs.open(file, { flag: "a" })

    let pending = [tfRecord(versionEvent(startedAt / 1000))]
    const lastStep = new Map<string, number>()
    return {
      write: (entry) => {
        const { at, stage = "run" } = entry
        // Events without a step of their own are drawn at the latest step of their stage.
        if (isEntryOf(StepDone, entry)) lastStep.set(stage, entry.event.step)
        const scalars = Object.entries(entry.scalars()).map(([name, value]) => [`${stage}/${name}`, value])
        if (scalars.length === 0) return
        pending.push(tfRecord(scalarEvent(at / 1000, lastStep.get(stage) ?? 0, Object.fromEntries(scalars))))
      },
      flush: Effect.suspend(() => {
        const records = Buffer.concat(pending)
        pending = []
        return output.writeAll(records).pipe(whileDoing("write the TensorBoard file", file))
      })
    }
  },
  (self, directory) => whileDoing("open a TensorBoard file", directory)(self)
)
