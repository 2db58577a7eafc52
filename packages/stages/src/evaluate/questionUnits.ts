/** Single questions to the model of a directory as units of work that other processes compute: the answer comes back in the message. */
import { resolve } from "node:path"
import { benchmarkNamed, questionDigest, readDataFile, requestOf } from "@speedq/evaluation"
import { numbered, UnitComputers, unitKind, unitsAhead } from "@speedq/pipeline"
import type { ArithmeticChoice } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { EvaluationFailed } from "../Errors.ts"
import { Extensions } from "../extensions/Extensions.ts"
import { openJudgedModel } from "../model/judgedModel.ts"

/** All that is asked of one model in one evaluation, but the questions. Paths are absolute. */
const Examination = Schema.Struct({
  model: Schema.String,
  /** What tells the model's answers from others'. */
  identity: Schema.String,
  benchmark: Schema.String,
  data: Schema.String,
  imageStore: Schema.Literals(["lossless", "jpeg75"]),
  maxPixels: Schema.NullOr(Schema.Int),
  arithmetic: Schema.NullOr(Schema.Literals(["f32", "bf16", "bf16-or-f32"])),
  activations: Schema.Literals(["f32", "int8"])
})
export type Examination = typeof Examination.Type

const Input = Schema.Struct({
  examination: Examination,
  /** Index of the row, and the digest of its question. */
  row: Schema.String,
  question: Schema.String
})

export const questionUnit = unitKind("question", { input: Input, output: Schema.String })

/** The pictures of its rows, as the evaluation was told to take them. */
const picturesOf = ({ imageStore, maxPixels }: Examination) => ({
  imageStore,
  ...(maxPixels === null ? {} : { maxPixels })
})

/** An evaluation of another process, opened to answer its questions, for the life of the scope. Fails where model or data are others here. */
export const openExamination = Effect.fn("openExamination")(function* (examination: Examination) {
  const { model, identity, activations, data: file } = examination
  const title = examination.benchmark
  const benchmark = yield* benchmarkNamed(title, (yield* Extensions).benchmarks)
  const answerer = yield* openJudgedModel(model, { verify: false, activations })
  if (answerer.model !== identity) {
    return yield* new EvaluationFailed({
      title,
      reason: `${model} is another model on this machine; copy every file of it`
    })
  }
  const data = yield* readDataFile(file, benchmark)
  const rows = new Map(data.rows.map((row) => [row.index, row]))
  const pictures = picturesOf(examination)
  return Effect.fnUntraced(function* ({ row: index, question }: typeof Input.Type) {
    const row = rows.get(index)
    if (row === undefined || (yield* questionDigest(benchmark, data, row, pictures)) !== question) {
      return yield* new EvaluationFailed({
        title,
        reason: `row ${index} of ${file}, or its pictures, are others on this machine`
      })
    }
    return yield* answerer.answer(yield* requestOf(benchmark, data, row, pictures))
  })
})

/** Paths as they were given. */
interface Asked extends Omit<Examination, "arithmetic" | "maxPixels"> {
  readonly arithmetic: ArithmeticChoice | undefined
  readonly maxPixels: number | undefined
}

interface OpenQuestion {
  readonly row: { readonly index: string }
  /** Its digest. */
  readonly question: string
}

/**
 * Hands questions out to others, in order, for the life of the scope; undefined where nobody computes for this process. Gives what others
 * answered to one, by its place; undefined where it is to be asked here.
 */
export const questionsElsewhere =
  ({ arithmetic, maxPixels, ...asked }: Asked) =>
  (questions: readonly OpenQuestion[]) =>
    Effect.gen(function* () {
      const begun = (yield* UnitComputers)?.begin({
        name: "questions-00000000",
        title: `the questions of ${asked.benchmark}`,
        bits: "same"
      })
      const batch = begun === undefined ? undefined : yield* begun
      if (batch === undefined) return undefined
      yield* Effect.addFinalizer(() => batch.end)
      const { model, data } = asked
      const examination: Examination = {
        ...asked,
        ...{ model: resolve(model), data: resolve(data) },
        ...{ arithmetic: arithmetic ?? null, maxPixels: maxPixels ?? null }
      }
      const ask = (at: number) => {
        const { row, question } = questions[at]!
        const name = numbered("question", at, 6)
        const unit = {
          name,
          title: `question ${row.index} of ${asked.benchmark}`,
          input: { examination, row: row.index, question }
        }
        return batch.ask(questionUnit, unit, Effect.succeed)
      }
      // One that is asked, and one that waits, so that a runner goes on at once.
      return (yield* unitsAhead({ batch, count: questions.length, perRunner: 2, ask })).resultOf
    })
