import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { asMatrix } from "../../core/Shape.ts"

type Parts = "first" | "second" | "third"

/** Calls `visit` with the extent and offset of each part within a row of the whole. */
const eachPart = (
  shapes: { readonly [K in Parts]: readonly number[] },
  visit: (name: Parts, rows: number, columns: number, offset: number) => void
): void => {
  let offset = 0
  for (const name of ["first", "second", "third"] as const) {
    const { rows, columns } = asMatrix(shapes[name])
    visit(name, rows, columns, offset)
    offset += columns
  }
}

/** part[r, c] = x[r, offset of part + c] */
export const referenceSplit = (
  { x }: Arrays<"x">,
  parts: Arrays<Parts>,
  { inputs, outputs }: Geometry<"x", Parts>
): void => {
  const width = inputs.x.at(-1)!
  eachPart(outputs, (name, rows, columns, offset) => {
    for (let i = 0; i < rows * columns; i++) {
      parts[name][i] = x[Math.floor(i / columns) * width + offset + (i % columns)]!
    }
  })
}

/** y[r, offset of part + c] = part[r, c] */
export const referenceJoin = (
  parts: Arrays<Parts>,
  { y }: Arrays<"y">,
  { inputs, outputs }: Geometry<Parts, "y">
): void => {
  const width = outputs.y.at(-1)!
  eachPart(inputs, (name, rows, columns, offset) => {
    for (let i = 0; i < rows * columns; i++) {
      y[Math.floor(i / columns) * width + offset + (i % columns)] = parts[name][i]!
    }
  })
}
