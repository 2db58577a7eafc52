/** Pixel shuffle v2 on its own, and the position grid resized (fixtures/internvl3/pixel-shuffle-and-position-resize). */
import { dirname, join } from "node:path"
import { pixelShuffle } from "@speedq/tensors"
import { resizePositions } from "@speedq/vlm-model"
import type { Check } from "../Check.ts"
import { type Comparison, compare, compareExactly } from "../compare.ts"
import { type Fixture, readFixture } from "../Fixture.ts"

export const shapesCheck: Check = {
  matches: /internvl3\/pixel-shuffle-and-position-resize/,
  run: async (fixture, backend) => {
    const shuffled = pixelShuffle(fixture.load(backend, "input"))
    return [
      compareExactly("shuffled", await shuffled.read(), fixture.numbers("shuffled")),
      ...fixture.names.filter((name) => name.startsWith("position_")).map((name) => comparePositions(fixture, name))
    ]
  }
}

/** The checkpoint's grid of positions, which is square, resized to the grid that a name like "position_5x7" states. */
const comparePositions = (fixture: Fixture, name: string): Comparison => {
  const checkpoint = readFixture(join(dirname(fixture.path), "checkpoint", "model.safetensors"))
  const table = "vision_model.embeddings.position_embedding"
  const [, tokens = 0, columns = 0] = checkpoint.shape(table)
  const side = Math.sqrt(tokens - 1)
  const [rows = 0, across = 0] = (name.match(/\d+/g) ?? []).map(Number)
  const resized = resizePositions(checkpoint.numbers(table) as Float32Array, columns, [side, side], [rows, across])
  return compare(name, resized.subarray(columns), fixture.numbers(name), { relative: 1e-5, absolute: 1e-6 })
}
