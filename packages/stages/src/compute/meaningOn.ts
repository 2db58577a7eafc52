/** What a choice of arithmetic comes to where something may multiply bf16 or not. */
import type { Meaning, StageArithmetic } from "@speedq/pipeline"
import { type Arithmetic, type ArithmeticChoice, BackendUnavailable, bfloat16Products } from "@speedq/tensors"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** `multiplier` names what multiplies in bf16, or raises BackendUnavailable. */
export const meaningOn = (multiplier: (arithmetic: Arithmetic) => string, choice: ArithmeticChoice): Meaning => {
  if (choice === "f32") return { arithmetic: "f32" }
  try {
    return { arithmetic: "bf16", detail: multiplier("bf16") }
  } catch (error) {
    if (!(error instanceof BackendUnavailable)) throw error
    const detail = error.message
    return choice === "bf16" ? { arithmetic: "bf16", detail, refused: true } : { arithmetic: "f32", detail }
  }
}

/** The arithmetic that work is measured in before there is a backend. */
export const PlannedArithmetic = Context.Reference<Arithmetic>("speedq/PlannedArithmetic", {
  defaultValue: () => "f32"
})

/** Before there is a backend: what choices come to on the processor. */
export const onProcessor: typeof StageArithmetic.Service = {
  meaningOf: (choice) => Effect.sync(() => meaningOn(bfloat16Products, choice)),
  within: (arithmetic) => (work) => Effect.provideService(work, PlannedArithmetic, arithmetic)
}
