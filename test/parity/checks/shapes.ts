/** Pixel shuffle v2 on its own, and the position grid resized (fixtures/internvl3/pixel-shuffle-and-position-resize). */
import { dirname, join } from "node:path"
import { pixelShuffle } from "@speedq/tensors"
import { resizePositions } from "@speedq/vlm-model"
import type { Check } from "../Check.ts"
import { compare, compareExactly } from "../compare.ts"
import { readFixture } from "../Fixture.ts"

export const shapesCheck: Check = {
  matches: /internvl3\/pixel-shuffle-and-position-resize/,
  run: async (fixture, backend) => {
    const shuffled = pixelShuffle(fixture.load(backend, "input"))
    const checkpoint = readFixture(join(dirname(fixture.path), "checkpoint", "model.safetensors"))
    const table = checkpoint.numbers("vision_model.embeddings.position_embedding") as Float32Array
    const columns = fixture.shape("position_5x7")[2]!
    const resized = resizePositions(table, columns, [4, 4], [5, 7])
    return [
      compareExactly("shuffled", await shuffled.read(), fixture.numbers("shuffled")),
      compare("position_5x7", resized.subarray(columns), fixture.numbers("position_5x7"), {
        relative: 1e-5,
        absolute: 1e-6
      })
    ]
  }
}
