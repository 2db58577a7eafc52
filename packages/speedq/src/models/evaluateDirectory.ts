/** Evaluates the model of a directory on a benchmark, its progress shown on standard error. */
import {
  Answerer,
  AnswerFailed,
  benchmarkNamed,
  type Evaluated,
  evaluate,
  type Matcher,
  type PredictionFormat,
  renderScore
} from "@speedq/evaluation"
import { acquireLock, emit, madeDirectory, whileDoing } from "@speedq/pipeline"
import { Compute, Extensions, modelAnswerer } from "@speedq/stages"
import type { ArithmeticChoice, BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Note, progress } from "../command/progress.ts"
import { evaluationProgress } from "./evaluationProgress.ts"
import { modelName } from "./modelName.ts"
import { modelOf } from "./modelOf.ts"
import { openModel } from "./openModel.ts"
import { scoreJson } from "./scoreFile.ts"

export interface EvaluationRequest {
  readonly data: string
  readonly benchmark: string
  readonly matcher: Matcher
  readonly limit: number | undefined
  /** Pictures with more are refused; Pillow's limit when absent. */
  readonly maxPixels: number | undefined
  readonly imageStore: "lossless" | "jpeg75"
  readonly out: string
  /** Of the model in file names; when absent, that of its directory, or its run and format. */
  readonly name: string | undefined
  readonly format: PredictionFormat
  /** Compares the files of an export with their digests first; off when absent. */
  readonly verify?: boolean
  /** How products and attention are computed; f32 when absent. Answers of one are not continued in another. */
  readonly arithmetic?: ArithmeticChoice
}

/** Locks the directory of the answers, which two processes would fill with the same ones. Fails with RunLocked while another one writes it. */
const holdDirectory = Effect.fnUntraced(function* (directory: string) {
  yield* whileDoing("make the directory", directory)(madeDirectory(directory))
  return yield* acquireLock(directory)
})

/** Asks every row, writes predictions and score, continues where it stopped. */
export const evaluateDirectory = Effect.fn("evaluateDirectory")(
  function* (
    directory: string,
    { benchmark, limit, maxPixels, name, verify = false, arithmetic: _chosen, ...request }: EvaluationRequest,
    _backend: BackendName
  ) {
    const model = yield* modelOf(directory)
    const chosen = yield* benchmarkNamed(benchmark, (yield* Extensions).benchmarks)
    const lock = yield* holdDirectory(request.out)
    const { answering, identity } = yield* openModel(model, { verify })
    const { arithmetic } = (yield* Compute).backend
    const answerer = modelAnswerer(answering, arithmetic === "f32" ? identity : `${identity} in ${arithmetic}`)
    const held = Effect.mapError(lock.verify, ({ message }) => new AnswerFailed({ reason: message }))
    const evaluated = yield* evaluate(chosen, {
      ...request,
      name: name ?? (yield* modelName(model)),
      onProgress: yield* evaluationProgress(chosen.name),
      ...(limit === undefined ? {} : { limit }),
      ...(maxPixels === undefined ? {} : { maxPixels })
    }).pipe(
      Effect.provideService(Answerer, { ...answerer, answer: (asked) => Effect.tap(answerer.answer(asked), held) })
    )
    yield* emit(Note, {
      message: `predictions are in ${evaluated.predictionsFile}, the score is in ${evaluated.scoreFile}`
    })
    return evaluated
  },
  (self, _model, { arithmetic }, backend) =>
    self.pipe(Effect.scoped, Effect.provide(Layer.mergeAll(Compute.layer({ backend, arithmetic }), progress)))
)

/** The document of `--json`: that of `speedq score`, and the files. `published` is null for a benchmark without an origin. */
export const evaluationJson = ({ score, predictionsFile, scoreFile, resultFile, published }: Evaluated) => ({
  ...scoreJson(score),
  predictionsFile,
  scoreFile,
  resultFile,
  published: published ?? null
})

export const describeEvaluation = ({ score }: Evaluated): string => renderScore(score)
