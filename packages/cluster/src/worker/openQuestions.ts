/** An evaluation of a directory with a model, opened to answer its questions. */
import { Compute, type Examination, openExamination, questionUnit } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ComputeJson } from "./openRunStage.ts"

/** What computes its units, for the life of the scope. Fails where model or data are others on this machine. */
export const openQuestions = Effect.fn("openQuestions")(function* (examination: Examination, backend: BackendName) {
  const services = yield* Layer.build(Compute.layer({ backend, arithmetic: examination.arithmetic ?? undefined }))
  const answer = yield* Effect.provideContext(openExamination(examination), services)
  const context = yield* Effect.context<Effect.Services<ReturnType<typeof answer>>>()
  const compute: ComputeJson = (input) =>
    questionUnit
      .decodeInput(input)
      .pipe(Effect.flatMap(answer), Effect.map(questionUnit.encodeOutput), Effect.provideContext(context))
  return new Map([[questionUnit.name, compute]]) as ReadonlyMap<string, ComputeJson>
})
