/** Shapes of row-major tensors, written `[B, T, H]` everywhere. */

export type Shape = readonly number[]

/** Number of elements; 1 for the empty shape. */
export const sizeOf = (shape: Shape): number => {
  let size = 1
  for (const extent of shape) size *= extent
  return size
}

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((extent, axis) => extent === b[axis])

export const formatShape = (shape: Shape): string => `[${shape.join(", ")}]`

/** A tensor seen as a matrix: all axes but the last are rows. `[2, 5, 8]` is 10 rows of 8 columns. */
export const asMatrix = (shape: Shape): { readonly rows: number; readonly columns: number } => {
  const columns = shape.at(-1) ?? 1
  return { rows: sizeOf(shape.slice(0, -1)), columns }
}
