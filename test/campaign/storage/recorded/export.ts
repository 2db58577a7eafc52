/** An export into a new directory, and another one in its place. */
import { mkdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { descriptionName, type Exporter, verifyExport, writeExport } from "@speedq/exports"
import { AtomicFile } from "@speedq/formats"
import { readModelConfig } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Campaign } from "../../Campaign.ts"
import { describeError, emptyDirectory, filesOf } from "../../runs.ts"
import { type Image, writeImage } from "../Disk.ts"
import type { Recorded } from "../Recorded.ts"
import { record } from "../recording.ts"

const placeIn = (directory: string): string => join(directory, "deep", "model")

/** A format of two small files, one of them in a directory of its own, that say which export they are of. */
const exporter: Exporter<{ readonly mark: string }> = {
  id: "marked",
  checkedBy: [],
  version: 1,
  description: "",
  Config: Schema.Struct({ mark: Schema.String }),
  directoryName: () => "marked",
  bytes: () => 0,
  write: ({ mark }, { directory }) =>
    Effect.map(
      Effect.forEach(["weights.bin", join("parts", "a.bin")], (file) => {
        mkdirSync(dirname(join(directory, file)), { recursive: true })
        const written = AtomicFile.writeWhole(join(directory, file), Buffer.from(`${mark} ${file}`))
        return Effect.map(Effect.orDie(written), (each) => ({ ...each, file }))
      }),
      (files) => ({ files, bytes: 1, maxAbsErr: 0, relErr: 0, layersFallenBack: [] })
    )
}

const exportTo = (directory: string, mark: string) =>
  writeExport(
    { exporter, config: { mark } },
    {
      // No more is asked of the model than how many parameters it has, and which layers are packed.
      source: { directory: { config: readModelConfig("data/nano/config") } } as never,
      deployed: { packed: new Map() } as never,
      directory: placeIn(directory),
      recipe: mark
    }
  )
const marks = ["first", "second"]

/** The texts of an export that is there. */
const contentOf = (directory: string): string =>
  JSON.stringify(filesOf(placeIn(directory)).map(([name, bytes]) => [name, Buffer.from(bytes).toString()]))

/** What is described is whole, and an export that was said to be done is described until the next one takes its place. */
export const recordedExport = async ({ scratch }: Campaign): Promise<Recorded> => {
  const root = emptyDirectory(scratch, "recorded-export")
  let isThere = false
  const moments = await record(
    root,
    () => isThere,
    async () => {
      for (const mark of marks) {
        await Effect.runPromise(exportTo(root, mark))
        isThere = mark === marks[0]
      }
    }
  )
  // Of the second export nothing is promised from the moment at which it takes the first one's description away.
  const taken = moments.findIndex(
    ({ operation }) => operation.kind === "remove" && operation.path.endsWith(descriptionName)
  )
  const whole = contentOf(root)
  const wrongIn = (directory: string, mustBe: boolean): Promise<string | undefined> =>
    Effect.runPromise(verifyExport(placeIn(directory))).then(
      () => undefined,
      (error: unknown) => {
        const isAbsent = !filesOf(directory).some(([name]) => name.endsWith(`model/${descriptionName}`))
        return isAbsent && !mustBe ? undefined : String(error)
      }
    )
  return {
    name: "export",
    root,
    operations: moments.map(({ operation }) => operation),
    wrong: (image: Image, index) => {
      const directory = emptyDirectory(scratch, "exported")
      writeImage(image, directory)
      return wrongIn(directory, moments[index]!.promised && index < taken)
    },
    wrongAfter: async (directory) => {
      const error = await Effect.runPromise(exportTo(directory, marks[1]!)).then(() => undefined, describeError)
      if (error !== undefined) return `the export does not go on: ${error}`
      const content = contentOf(directory)
      return content === whole ? undefined : `after another export there is ${content}, not ${whole}`
    },
    goesOnEvery: 4
  }
}
