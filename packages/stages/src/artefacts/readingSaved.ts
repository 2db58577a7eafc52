/** Reads what a stage saved: what is raised on the way means that the file is damaged, unless something else is to blame. */
import { readingFault, type SavedFileDamaged, type StorageFailed } from "@speedq/pipeline"
import { isForeign, type QuantizerMissing, type QuantizerVersionDiffers } from "@speedq/quantizers"
import { BackendUnavailable, DeviceLost, KernelFailure, OutOfMemory, TensorTooLarge } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { ComputeFailed } from "../compute/computing.ts"

type SavedFault = SavedFileDamaged | StorageFailed | ComputeFailed

/** What is wrong with the backend, and not with what is read into its memory. */
const ofBackend = [BackendUnavailable, DeviceLost, KernelFailure, OutOfMemory, TensorTooLarge]
const isOfBackend = (error: unknown): error is InstanceType<(typeof ofBackend)[number]> =>
  ofBackend.some((kind) => error instanceof kind)

const savedFault = (file: string, error: unknown): SavedFault =>
  isOfBackend(error) ? new ComputeFailed({ kind: error._tag, reason: error.message }) : readingFault(file, error)

/** Runs code that throws on a damaged file. A file that the system does not let us read, a lack of memory, and a device that is gone are no damage. */
export const readingSaved = <A>(file: string, read: () => A): Effect.Effect<A, SavedFault> =>
  Effect.try({ try: read, catch: (error) => savedFault(file, error) })

/** The same where a quantizer may be wanted that is not given. */
export const readingPacked = <A>(
  file: string,
  read: () => A
): Effect.Effect<A, SavedFault | QuantizerMissing | QuantizerVersionDiffers> =>
  Effect.try({ try: read, catch: (error) => (isForeign(error) ? error : savedFault(file, error)) })
