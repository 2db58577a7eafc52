/** Files that go with units, by their records: whoever has the batch or one of its units reads what another has written. */
import { rmSync } from "node:fs"
import type { FileRecord, UnitFiles } from "@speedq/pipeline"
import * as Effect from "effect/Effect"

interface Places {
  /** Path of a file that is written under this name here. */
  readonly written: (file: string) => string
  /** Name of a file among those of all. */
  readonly nameOf: (name: string) => string
  /** Where a file of another's lies, once its bytes are those of the record. */
  readonly others: (record: FileRecord) => Effect.Effect<string, Error>
}

const isPlain = (file: string): boolean => /^[\w-][\w.-]*$/.test(file)

/** Notes what is written, for messages. */
export const notedFiles = ({ written, nameOf, others }: Places) => {
  const records: FileRecord[] = []
  const placeOf = (record: FileRecord) => records.findIndex(({ file }) => file === record.file)
  const forget = (record: FileRecord): void => {
    const at = placeOf(record)
    if (at >= 0) records.splice(at, 1)
  }
  const pathOf: UnitFiles["pathOf"] = (record) => {
    if (placeOf(record) >= 0) return Effect.succeed(written(record.file))
    // No path: what is in a database leads to no other folder.
    return isPlain(record.file)
      ? others(record)
      : Effect.fail(new Error(`"${record.file}" is no name of an exchanged file`))
  }
  const files: UnitFiles = {
    write: (name, write) => {
      const file = nameOf(name)
      return Effect.map(write(written(file)), ({ bytes, sha256 }) => {
        const record = { file, bytes, sha256 }
        records.push(record)
        return record
      })
    },
    pathOf,
    drop: (record) =>
      pathOf(record).pipe(
        Effect.tap((path) => Effect.sync(() => rmSync(path, { force: true }))),
        // One that is no more, or cannot be removed, goes with the batch.
        Effect.catchCause(() => Effect.void),
        Effect.andThen(Effect.sync(() => forget(record)))
      )
  }
  return { files, records: records as readonly FileRecord[] }
}
