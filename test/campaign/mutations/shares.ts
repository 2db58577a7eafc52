/**
 * Cases of which each goes to one of a few processes, a block after the other in turn: all are about equally far at any time, so that
 * of a campaign that is stopped all cases before some number are done.
 */
/** The cases `from` to `from` + `count` that process number `mine` of `processes` runs. */
export interface Share {
  readonly from: number
  readonly count: number
  readonly mine: number
  readonly processes: number
}

/** About as many as it takes for each kind of input to have its turn: no process has the slow kinds alone. */
const block = 256

/** The numbers of a share from `next` on. */
export function* numbersOf({ from, count, mine, processes }: Share, next: number): Generator<number> {
  const end = from + count
  // The block that holds the first of them, or one before it.
  const passed = Math.max(0, Math.floor((next - from) / (block * processes)))
  for (let first = from + (passed * processes + mine) * block; first < end; first += processes * block) {
    for (let at = Math.max(first, next); at < Math.min(first + block, end); at++) yield at
  }
}

export const sharesOf = (from: number, count: number, processes: number): readonly Share[] =>
  Array.from({ length: processes }, (_, mine) => ({ from, count, mine, processes }))

/** How many of the numbers of a share are before `next`. */
export const countBefore = ({ from, count, mine, processes }: Share, next: number): number => {
  const passed = Math.max(0, Math.min(next - from, count))
  const round = block * processes
  const inRound = Math.min(Math.max((passed % round) - mine * block, 0), block)
  return Math.floor(passed / round) * block + inRound
}
