import type { Arrays, Geometry } from "../../Kernel.ts"

/** y[c, r] = x[r, c] */
export const reference = ({ x }: Arrays<"x">, { y }: Arrays<"y">, { inputs }: Geometry<"x", "y">): void => {
  const [rows, columns] = inputs.x as readonly [number, number]
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) y[column * rows + row] = x[row * columns + column]!
  }
}
