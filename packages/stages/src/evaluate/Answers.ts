/** What was answered and measured of each benchmark, by the digests of questions: where a data file changes, the rest stands. */
import { join } from "node:path"
import { AtomicFile, ifPresent, mostBytes, readText } from "@speedq/formats"
import { Codec, type Stage, whileDoing, whileStoring } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Divergence } from "../model/divergence.ts"
import type { Group, GroupedRows } from "./groupedRows.ts"

interface Answer {
  readonly index: string
  readonly answer: string
}

/** Of one benchmark: answers by the digests of their questions, and divergences by those of the groups they are measured on. */
interface BenchmarkAnswers {
  readonly answers: Map<string, Answer>
  readonly measured: Map<string, Divergence>
}

export interface Answers {
  /** Digest of the model that was asked. */
  readonly model: string
  readonly benchmarks: readonly BenchmarkAnswers[]
}

const Stored = Schema.Struct({
  model: Schema.String,
  benchmarks: Schema.Array(
    Schema.Struct({
      answers: Schema.Array(Schema.Struct({ question: Schema.String, index: Schema.String, answer: Schema.String })),
      measured: Schema.Array(Schema.Struct({ of: Schema.String, sum: Schema.Number, tokens: Schema.Int }))
    })
  )
})
type Stored = typeof Stored.Type

const toStored = ({ model, benchmarks }: Answers): Stored => ({
  model,
  benchmarks: benchmarks.map(({ answers, measured }) => ({
    answers: [...answers].map(([question, answer]) => ({ question, ...answer })),
    measured: [...measured].map(([of, divergence]) => ({ of, ...divergence }))
  }))
})

const fromStored = ({ model, benchmarks }: Stored): Answers => ({
  model,
  benchmarks: benchmarks.map(({ answers, measured }) => ({
    answers: new Map(answers.map(({ question, ...answer }) => [question, answer])),
    measured: new Map(measured.map(({ of, ...divergence }) => [of, divergence]))
  }))
})

export const AnswersCodec: Codec.Codec<Answers> = Codec.make({
  data: Stored,
  save: (answers: Answers) => ({ data: toStored(answers), tensors: [] }),
  load: (stored) => Effect.succeed(fromStored(stored))
})

export const noAnswers = (model: string, count: number): Answers => ({
  model,
  benchmarks: Array.from({ length: count }, () => ({ answers: new Map(), measured: new Map() }))
})

/** Whether nothing of a group is left to do. */
export const isDone = ({ benchmarks }: Answers, { at, questions, measured, measuredDigest }: Group): boolean =>
  questions.every(({ digest }) => benchmarks[at]!.answers.has(digest)) &&
  (measured.length === 0 || benchmarks[at]!.measured.has(measuredDigest))

/** The answers to the rows of a benchmark, in their order, and the divergence over its groups. */
export const summedUp = ({ benchmarks }: Answers, { groups }: GroupedRows) => {
  const answers: (readonly [index: string, answer: string])[] = []
  const divergence = { sum: 0, tokens: 0 }
  for (const { at, questions, measuredDigest } of groups) {
    for (const { row, digest } of questions) answers.push([row.index, benchmarks[at]!.answers.get(digest)!.answer])
    const found = benchmarks[at]!.measured.get(measuredDigest)
    divergence.sum += found?.sum ?? 0
    divergence.tokens += found?.tokens ?? 0
  }
  return { answers, divergence }
}

/** What there is about the questions that are asked now, in their order. */
export const current = ({ model, benchmarks }: Answers, asked: readonly GroupedRows[]): Answers => ({
  model,
  benchmarks: benchmarks.map((found, at) => {
    const { groups } = asked[at]!
    const digests = groups.flatMap(({ questions }) => questions.map(({ digest }) => digest))
    return {
      answers: chosen(found.answers, digests),
      measured: chosen(
        found.measured,
        groups.map(({ measuredDigest }) => measuredDigest)
      )
    }
  })
})

const chosen = <A>(found: ReadonlyMap<string, A>, keys: readonly string[]): Map<string, A> =>
  new Map(
    keys.flatMap((key) => {
      const value = found.get(key)
      return value === undefined ? [] : [[key, value] as const]
    })
  )

/** What stands of earlier answers, in words. */
export const whatStands = (answers: Answers, asked: readonly GroupedRows[]): string => {
  const counts = { stand: 0, again: 0, gone: 0 }
  for (const [at, { groups, data }] of asked.entries()) {
    const found = answers.benchmarks[at]!.answers
    const known = new Set([...found.values()].map(({ index }) => index))
    const present = new Set(data.rows.map(({ index }) => index))
    for (const { row, digest } of groups.flatMap(({ questions }) => questions)) {
      if (found.has(digest)) counts.stand++
      else if (known.has(row.index)) counts.again++
    }
    counts.gone += [...known].filter((index) => !present.has(index)).length
  }
  const again = counts.again === 0 ? "" : `, ${counts.again} rows changed and are asked again`
  const gone = counts.gone === 0 ? "" : `, ${counts.gone} are no longer there`
  return `${counts.stand} answers stand${again}${gone}`
}

const answersName = "answers.json"
const AnswersFile = Schema.fromJsonString(Stored)
const encodeFile = Schema.encodeSync(AnswersFile)
const decodeFile = Schema.decodeUnknownOption(AnswersFile)

/** Writes the answers beside a finished evaluation, for one of a data file that changes later. Gives the path. */
export const writeAnswers = Effect.fnUntraced(function* (directory: string, answers: Answers) {
  const file = join(directory, answersName)
  const bytes = new TextEncoder().encode(encodeFile(toStored(answers)))
  yield* whileStoring("write the answers", file)(AtomicFile.writeWhole(file, bytes))
  return file
})

/** The divergences that were measured for a finished evaluation in `directory`, benchmark by benchmark; none where it kept none. */
export const readDivergences = Effect.fn("readDivergences")(function* (directory: string) {
  const file = join(directory, answersName)
  const text = yield* ifPresent(readText(file, mostBytes.text)).pipe(whileDoing("read the divergences", file))
  return Option.fromUndefinedOr(text).pipe(
    Option.flatMap(decodeFile),
    Option.map(({ benchmarks }) =>
      benchmarks.map(({ measured }) => new Map(measured.map(({ of, ...each }) => [of, each])))
    )
  )
})

/** Fields of a stage's key that say nothing about the model. */
const besidesModel = ["data", "inputs.evaluations"]

/** The answers of a finished evaluation of the same model, which a new one takes the place of; none where there are none. */
export const answersBefore = Effect.fnUntraced(function* (before: Stage.Superseded | undefined, model: string) {
  if (before === undefined || !before.changed.every((field) => besidesModel.includes(field))) return Option.none()
  const file = join(before.directory, answersName)
  // An earlier build kept none.
  const text = yield* ifPresent(readText(file, mostBytes.text)).pipe(whileDoing("read earlier answers", file))
  return Option.fromUndefinedOr(text).pipe(
    Option.flatMap(decodeFile),
    Option.map(fromStored),
    Option.filter((found) => found.model === model)
  )
})
