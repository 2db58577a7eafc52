/** The operations of runs on their directory, in their order, and after which of them something was said to be saved. */
import { isReading, type Operation, watch } from "../../../packages/pipeline/test/toy/operations.ts"
import { nothingTold, runToyHere, type Standing, type Told } from "../runs.ts"

export interface Moment {
  readonly operation: Operation
  /** What was promised before it: it must be there whatever happens to this operation and all later ones. */
  readonly promised: Standing
}

/** Records what `run` does below `root`. */
const record = async (root: string, run: (told: Told) => Promise<unknown>): Promise<readonly Moment[]> => {
  const moments: Moment[] = []
  const told = nothingTold()
  watch({
    after: (operation) => {
      if (isReading(operation) || !`${operation.path}/`.startsWith(`${root}/`)) return
      moments.push({ operation, promised: new Map(told.acknowledged) })
    }
  })
  try {
    await run(told)
  } finally {
    watch({})
  }
  return moments
}

/** A run that failed in its second stage and was continued: saves, results, an end in the middle, a beginning upon what is there. */
export const recordedRun = (root: string, directory: string): Promise<readonly Moment[]> =>
  record(root, async (told) => {
    await runToyHere(directory, told, { failAt: { label: "toy-projector", step: 4 } })
    const { error } = await runToyHere(directory, told)
    if (error !== undefined) throw error
  })
