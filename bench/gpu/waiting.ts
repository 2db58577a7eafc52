/** Milliseconds of work on a GPU, which runs behind the host. */
import { type Backend, zeros } from "@speedq/tensors"
import { median } from "../measure.ts"

/** Milliseconds until all that was launched is done, and of these until the host had launched it. */
export const waited = async (
  backend: Backend,
  work: () => void
): Promise<{ readonly ms: number; readonly host: number }> => {
  const flag = zeros(backend, [1])
  const start = performance.now()
  work()
  const host = performance.now() - start
  // A read comes after everything that was launched before it.
  await flag.read()
  const ms = performance.now() - start
  flag.release()
  return { ms, host }
}

/**
 * Milliseconds of one run among `runs` in a row: what one more than `runs` take less what one takes, which is the launching and the
 * reading. The median of five; the first two compile.
 */
export const millisecondsOf = async (backend: Backend, runs: number, work: () => void): Promise<number> => {
  const repeated = async (times: number): Promise<number> => {
    const { ms } = await waited(backend, () => {
      for (let i = 0; i < times; i++) work()
    })
    return ms
  }
  await repeated(1)
  await repeated(runs)
  const each: number[] = []
  for (let i = 0; i < 5; i++) {
    const one = await repeated(1)
    each.push(((await repeated(1 + runs)) - one) / runs)
  }
  return median(each)
}
