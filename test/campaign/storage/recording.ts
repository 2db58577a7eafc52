/** The operations of work on its directory, in their order, and what was promised before each of them. */
import { isReading, type Operation, watch } from "../../../packages/pipeline/test/toy/operations.ts"

export interface Moment<P> {
  readonly operation: Operation
  /** What was promised before it: it must be there whatever happens to this operation and all later ones. */
  readonly promised: P
}

/** Records what `work` does below `root`; `promised` gives a copy of what is promised by now. */
export const record = async <P>(
  root: string,
  promised: () => P,
  work: () => Promise<unknown>
): Promise<readonly Moment<P>[]> => {
  const moments: Moment<P>[] = []
  watch({
    after: (operation) => {
      if (isReading(operation) || !`${operation.path}/`.startsWith(`${root}/`)) return
      moments.push({ operation, promised: promised() })
    }
  })
  try {
    await work()
  } finally {
    watch({})
  }
  return moments
}
