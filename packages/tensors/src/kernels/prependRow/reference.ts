import type { Arrays, Geometry } from "../../Kernel.ts"

/** y[t, 0] = row, y[t, n + 1] = x[t, n] */
export const referencePrepend = (
  { x, row }: Arrays<"x" | "row">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"x" | "row", "y">
): void => {
  const [tiles, count, columns] = inputs.x as readonly [number, number, number]
  for (let t = 0; t < tiles; t++) {
    const start = t * (count + 1) * columns
    y.set(row, start)
    y.set(x.subarray(t * count * columns, (t + 1) * count * columns), start + columns)
  }
}

/** y[t, n] = x[t, n + 1] */
export const referenceDropFirst = ({ x }: Arrays<"x">, { y }: Arrays<"y">, { inputs }: Geometry<"x", "y">): void => {
  const [tiles, count, columns] = inputs.x as readonly [number, number, number]
  for (let t = 0; t < tiles; t++) {
    y.set(x.subarray((t * count + 1) * columns, (t + 1) * count * columns), t * (count - 1) * columns)
  }
}
