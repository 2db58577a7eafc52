/** The files of a run's directory that a runner needs of it to begin a stage, with their digests. */
import { statSync } from "node:fs"
import { join, posix } from "node:path"
import {
  manifestName,
  Recipe,
  readManifest,
  readRunRecord,
  recordOf,
  runFileName,
  stageInputs,
  stagesName
} from "@speedq/pipeline"
import { beginningNames, knownStages } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { UnitFailed } from "../Errors.ts"

/** From the run's directory, with slashes: of the run itself, or of one of its stages. */
const RunFile = Schema.Struct({
  file: Schema.String.check(Schema.isPattern(/^(stages\/[\w-][\w.-]*\/)?[\w-][\w.-]*$/)),
  bytes: Schema.Int,
  sha256: Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))
})
export type RunFile = typeof RunFile.Type

const List = Schema.fromJsonString(Schema.Array(RunFile))
/** Reads a list. Fails where it names what is no file of a run. */
export const decodeRunFiles = Schema.decodeUnknownEffect(List)
export const encodeRunFiles = (files: readonly RunFile[]): Uint8Array =>
  new TextEncoder().encode(Schema.encodeSync(List)(files))

/** What tells that a file is as it was. */
const stampOf = (file: string): string => {
  const found = statSync(file, { throwIfNoEntry: false, bigint: true })
  return found === undefined ? "" : `${found.size} ${found.mtimeNs} ${found.ino}`
}

const listOf = Effect.fnUntraced(function* (run: string, place: string) {
  const record = Option.getOrUndefined(yield* readRunRecord(run))
  if (record === undefined) return yield* new UnitFailed({ reason: `there is no run in ${run}` })
  const recipe = yield* Recipe.decode(yield* knownStages, record.recipe)
  const own = [...beginningNames, manifestName].map((name) => posix.join(stagesName, place, name))
  const makers = new Set<string>()
  const artefacts: RunFile[] = []
  for (const { name, maker } of stageInputs(recipe, place) ?? []) {
    makers.add(maker)
    const manifest = Option.getOrUndefined(yield* readManifest(join(run, stagesName, maker)))?.manifest
    const file = manifest?.finished?.artefacts[name]
    // What is wrong with it is said where it is opened.
    if (file !== undefined) artefacts.push({ ...file, file: posix.join(stagesName, maker, file.file) })
  }
  const small = [runFileName, ...own, ...[...makers].map((maker) => posix.join(stagesName, maker, manifestName))]
  return { small, artefacts }
})

/** Lists them, time after time: what did not change since is not read again. */
export const makeRunFiles = (run: string) => {
  let last: { readonly stamps: string; readonly files: readonly RunFile[] } | undefined
  return Effect.fnUntraced(function* (place: string) {
    const { small, artefacts } = yield* listOf(run, place)
    const there = small.filter((file) => stampOf(join(run, file)) !== "")
    const stamps = [place, ...there.map((file) => `${file} ${stampOf(join(run, file))}`)].join("\n")
    if (last?.stamps === stamps) return last.files
    const files = [...artefacts]
    for (const file of there) files.push(yield* recordOf(join(run, file), file))
    last = { stamps, files }
    return last.files
  })
}
