import { indexNumbers, type NativeBody, reading, writing } from "../../backends/native/NativeBody.ts"
import { type RotaryAttributes, rotation } from "./geometry.ts"

export const native: NativeBody<"x" | "positions", "y", RotaryAttributes> = (
  engine,
  { inputs: { x, positions }, outputs: { y }, attributes }
) => {
  const { theta, inverse } = attributes
  const [batch, tokens, heads, width] = x.shape as readonly [number, number, number, number]
  const half = width / 2
  const places = indexNumbers(engine, positions)
  const make = () => {
    const table = new Float32Array(places.length * width)
    for (const [token, position] of places.entries()) {
      for (let j = 0; j < half; j++) {
        const { cosine, sine } = rotation(position, j, width, { theta, inverse: false })
        table[token * width + j] = cosine
        table[token * width + half + j] = sine
      }
    }
    return table
  }
  // Queries and keys of all layers turn by the same angles, forth and back.
  const table = engine.table(`rotary ${theta} ${width} ${places}`, make)
  engine.rows({
    entry: "rotary",
    rows: batch * tokens,
    operands: [reading(x, 4 * heads * width), reading(table, 4 * width), writing(y, 4 * heads * width)],
    scalars: [heads, half, inverse ? -1 : 1]
  })
}
