/** Reads what a stage saved: what is raised on the way means that the file is damaged, unless something else is to blame. */
import { readingFault, type SavedFileDamaged, type StorageFailed } from "@speedq/pipeline"
import { isForeign, type QuantizerMissing, type QuantizerVersionDiffers } from "@speedq/quantizers"
import { KernelFailure, OutOfMemory } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { ComputeFailed } from "../compute/computing.ts"

type SavedFault = SavedFileDamaged | StorageFailed | ComputeFailed

const savedFault = (file: string, error: unknown): SavedFault =>
  error instanceof OutOfMemory || error instanceof KernelFailure
    ? new ComputeFailed({ kind: error._tag, reason: error.message })
    : readingFault(file, error)

/** Runs code that throws on a damaged file. A file that the system does not let us read, and a lack of memory, are no damage. */
export const readingSaved = <A>(file: string, read: () => A): Effect.Effect<A, SavedFault> =>
  Effect.try({ try: read, catch: (error) => savedFault(file, error) })

/** The same where a quantizer may be wanted that is not given. */
export const readingPacked = <A>(
  file: string,
  read: () => A
): Effect.Effect<A, SavedFault | QuantizerMissing | QuantizerVersionDiffers> =>
  Effect.try({ try: read, catch: (error) => (isForeign(error) ? error : savedFault(file, error)) })
