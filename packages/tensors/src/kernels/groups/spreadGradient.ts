/**
 * The gradient of a group's minimum or maximum: it goes to the entries that equal it, in equal parts, as the gradient of
 * PyTorch's amin and amax does.
 */
export const spreadGradient = (target: Float64Array, group: Float64Array, extreme: number, gradient: number): void => {
  const count = group.reduce((sum, value) => sum + Number(value === extreme), 0)
  for (const [i, value] of group.entries()) if (value === extreme) target[i]! += gradient / count
}
