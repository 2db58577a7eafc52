/** How a product is cut into slices of C, one slice a part. */

/** Floating-point operations below which a product is not worth waking threads for. */
const flopsPerSlice = 2e6
/** Slices a thread: more balance the threads better, but each packs its operands again, which only large ones repay. */
const slicesPerThread = 3
/** Elements of C below which a slice is not cut further, unless a thread would have none. */
const elementsToBalance = 1.5 * 2 ** 20

const upTo = (multiple: number, extent: number): number => Math.ceil(extent / multiple) * multiple

/** Extents of a slice: near squares, in multiples of the register tiles, a few a thread. Depends on extents and threads only. */
export const slices = (
  batch: number,
  m: number,
  n: number,
  k: number,
  threads: number
): { readonly sliceM: number; readonly sliceN: number } => {
  const whole = { sliceM: Math.max(1, m), sliceN: Math.max(1, n) }
  const flops = 2 * batch * m * n * k
  const large = Math.floor((batch * m * n) / elementsToBalance)
  const most = Math.min(slicesPerThread * threads, Math.max(threads, large - (large % threads)))
  const wanted = threads === 1 ? 1 : Math.min(most, Math.floor(flops / flopsPerSlice))
  const perMatrix = Math.ceil(wanted / Math.max(1, batch))
  if (perMatrix <= 1) return whole
  const across = Math.min(perMatrix, Math.max(1, Math.round(Math.sqrt((perMatrix * n) / m))))
  const down = Math.ceil(perMatrix / across)
  return {
    sliceM: Math.min(whole.sliceM, upTo(8, Math.ceil(m / down))),
    sliceN: Math.min(whole.sliceN, upTo(16, Math.ceil(n / across)))
  }
}
