/** Evaluates the model of a directory on a benchmark, its progress shown on standard error. */
import {
  Answerer,
  AnswerFailed,
  benchmarkNamed,
  type Evaluated,
  evaluate,
  evaluateShard,
  type Matcher,
  type PredictionFormat,
  renderScore,
  type Shard
} from "@speedq/evaluation"
import { emit } from "@speedq/pipeline"
import { Compute, Extensions, openJudgedModel, questionsElsewhere } from "@speedq/stages"
import type { Activations, ArithmeticChoice, BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Note, progress } from "../command/progress.ts"
import { evaluationProgress } from "./evaluationProgress.ts"
import { holdDirectory } from "./holdDirectory.ts"
import { modelName } from "./modelName.ts"
import { modelOf } from "./modelOf.ts"
import { scoreJson } from "./scoreFile.ts"
import { shardDirectory } from "./shardDirectories.ts"

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
  /** What codes are multiplied by, a token at a time; f32 when absent. The same is true of them. */
  readonly activations?: Activations
  /** Where runners meet that answer, too: a directory of this host, or a PostgreSQL database. */
  readonly cluster?: string | undefined
}

/** Shares questions with the runners of a cluster, where there is one. */
const sharedWith =
  (out: string, cluster: string | undefined) =>
  <A, E, R>(work: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      if (cluster === undefined) return yield* work
      // Loaded for those who have one.
      const { coordinating } = yield* Effect.promise(() => import("@speedq/cluster"))
      return yield* coordinating({ cluster, run: out })(work)
    })

/** Opens the model and the directory that a request means, for the life of the scope. */
const openEvaluation = Effect.fnUntraced(function* (
  directory: string,
  {
    benchmark,
    limit,
    maxPixels,
    name,
    verify = false,
    arithmetic: choice,
    cluster,
    activations = "f32",
    ...request
  }: EvaluationRequest
) {
  const model = yield* modelOf(directory)
  const chosen = yield* benchmarkNamed(benchmark, (yield* Extensions).benchmarks)
  const lock = yield* holdDirectory(request.out)
  const answerer = yield* openJudgedModel(model, { verify, activations })
  const held = Effect.mapError(lock.verify, ({ message }) => new AnswerFailed({ reason: message }))
  const options = {
    ...request,
    name: name ?? (yield* modelName(model)),
    onProgress: yield* evaluationProgress(chosen.name),
    ...(limit === undefined ? {} : { limit }),
    ...(maxPixels === undefined ? {} : { maxPixels }),
    elsewhere: questionsElsewhere({
      ...{ model, identity: answerer.model, benchmark: chosen.name, data: request.data },
      ...{ imageStore: request.imageStore, maxPixels, arithmetic: choice, activations }
    })
  }
  const answering = Effect.provideService(Answerer, {
    ...answerer,
    answer: (asked) => Effect.tap(answerer.answer(asked), held)
  })
  const sharing = sharedWith(request.out, cluster)
  const asking = <A, E, R>(work: Effect.Effect<A, E, R>) => sharing(answering(work))
  return { chosen, options, asking }
})

/** Computes on a backend, its progress shown. */
const shownOn = ({ arithmetic }: EvaluationRequest, backend: BackendName) =>
  Layer.mergeAll(Compute.layer({ backend, arithmetic }), progress)

/** Asks every row, writes predictions and score, continues where it stopped. */
export const evaluateDirectory = Effect.fn("evaluateDirectory")(
  function* (directory: string, request: EvaluationRequest, _backend: BackendName) {
    const { chosen, options, asking } = yield* openEvaluation(directory, request)
    const evaluated = yield* evaluate(chosen, options).pipe(asking)
    yield* emit(Note, {
      message: `predictions are in ${evaluated.predictionsFile}, the score is in ${evaluated.scoreFile}`
    })
    return evaluated
  },
  (self, _directory, request, backend) => self.pipe(Effect.scoped, Effect.provide(shownOn(request, backend)))
)

/** Asks the rows of one shard into a directory of its own below `out`, and continues where it stopped. */
export const evaluateShardOf = Effect.fn("evaluateShardOf")(
  function* (directory: string, shard: Shard, request: EvaluationRequest, _backend: BackendName) {
    const out = shardDirectory(request.out, shard)
    const { chosen, options, asking } = yield* openEvaluation(directory, { ...request, out })
    return yield* evaluateShard(chosen, shard, options).pipe(asking)
  },
  (self, _directory, _shard, request, backend) => self.pipe(Effect.scoped, Effect.provide(shownOn(request, backend)))
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
