/** Rounding to the nearest integer, ties to even, as torch.round and IEEE do; Math.round takes ties up. */
export const roundHalfEven = (value: number): number => {
  const down = Math.floor(value)
  const fraction = value - down
  if (fraction < 0.5) return down
  if (fraction > 0.5) return down + 1
  return down % 2 === 0 ? down : down + 1
}
