/** States of block-wise stages keep the form in which earlier builds saved them: their runs go on. */
import { assert, it } from "vitest"
import { blockProgressCodec } from "../src/blocks/BlockProgress.ts"

it("names the error of a finished block as stage 1 always did", () => {
  const { save } = blockProgressCodec({ parts: () => ["alpha", "m", "v"] })
  const report = { block: "b.0", errorBefore: 0, errorNearest: 2, undecided: 0.5, kept: "AdaRound" }
  const { data } = save({ done: new Map(), reports: [{ ...report, errorFitted: 1 }], current: undefined })
  assert.deepStrictEqual(data, { done: {}, reports: [{ ...report, errorAdaround: 1 }], current: null })
})
