/** Which samples of its mixture a stage has used: a bit each, in its states and beside its result. */
import { join } from "node:path"
import { AtomicFile, readBytes, type Safetensors } from "@speedq/formats"
import { readingFault, type Stage, whileDoing } from "@speedq/pipeline"
import * as Effect from "effect/Effect"

const fileName = "data-used.bin"
const tensorName = "used"

export const noneUsed = (count: number): Uint8Array => new Uint8Array(Math.ceil(count / 8))

/** The same with some more samples: a state that is saved keeps its own. */
export const withUsed = (used: Uint8Array, samples: readonly number[]): Uint8Array => {
  const all = used.slice()
  for (const sample of samples) all[sample >> 3]! |= 1 << (sample & 7)
  return all
}

export const isUsed = (used: Uint8Array, sample: number): boolean => (used[sample >> 3]! & (1 << (sample & 7))) !== 0

/** As a tensor of a state. */
export const usedTensor = (used: Uint8Array) => ({
  name: tensorName,
  dtype: "U8" as const,
  shape: [used.length],
  data: Effect.succeed(used)
})

/** A copy: a file's bytes end with the scope it is open in. */
export const loadUsed = (file: Safetensors.Safetensors) =>
  file.read(tensorName).pipe(
    Effect.map((bytes): Uint8Array => Uint8Array.from(bytes)),
    Effect.mapError((error) => readingFault(file.path, error))
  )

/** Writes what a finished stage used, and gives the file. */
export const writeUsed = Effect.fn("writeUsed")(function* (directory: string, used: Uint8Array) {
  const file = join(directory, fileName)
  yield* whileDoing("write which samples were used", file)(AtomicFile.writeWhole(file, used))
  return file
})

const readUsed = Effect.fnUntraced(function* (file: string) {
  return yield* Effect.mapError(readBytes(file), (error) => readingFault(file, error))
})

/** What was used by a stage that is begun or finished. */
export const usedBy = ({ directory, state }: Stage.Begun) =>
  state === undefined ? readUsed(join(directory, fileName)) : loadUsed(state.tensors)
