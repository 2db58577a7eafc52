/** The teacher's confidence as CAKLD is given it. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { builtIn, Extensions } from "../src/extensions/Extensions.ts"
import { decideLosses, LossConfig } from "../src/training/LossConfig.ts"
import { chooseLosses, confidenceOf, lossSection } from "../src/training/losses.ts"

const lossesFor = (compat: "careful" | "reference") =>
  Effect.runPromise(
    chooseLosses(decideLosses(Schema.decodeSync(LossConfig)({ confidenceBatches: 2 }), compat)).pipe(
      Effect.provideService(Extensions, builtIn)
    )
  )

describe("the confidence of a teacher that is sure", () => {
  it("is above 1 by the reference's mean of a few batches, is kept so, and the report says it", async () => {
    const [careful, reference] = [await lossesFor("careful"), await lossesFor("reference")]
    const measured = [0.9, 0.8, 1]
    assert.closeTo(confidenceOf(careful, measured), 0.9, 1e-12)
    const above = confidenceOf(reference, measured)
    assert.closeTo(above, 1.35, 1e-12)
    const told = JSON.stringify(lossSection(reference, above))
    assert.include(told, "beta = 1.3500, the teacher's mean confidence, above 1: the forward divergence counts against")
    assert.notInclude(JSON.stringify(lossSection(careful, 1)), "above 1")
  })
})
