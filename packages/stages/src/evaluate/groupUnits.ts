/** Groups of questions as units of work that other processes compute: answers and divergences come back in the message. */
import { numbered, UnitComputers, unitKind, unitsAhead } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { EvaluationFailed } from "../Errors.ts"
import type { Divergence } from "../model/divergence.ts"
import type { Group } from "./groupedRows.ts"

const GroupInput = Schema.Struct({
  /** Place of the benchmark. */
  at: Schema.Int,
  /** What is still to be asked, by the digests of the questions. */
  questions: Schema.Array(Schema.String),
  /** The divergence that is still to be measured; null where it is not. */
  measured: Schema.NullOr(Schema.String)
})

const GroupOutput = Schema.Struct({
  /** In the order of the questions. */
  answers: Schema.Array(Schema.String),
  divergence: Schema.NullOr(Schema.Struct({ sum: Schema.Number, tokens: Schema.Int }))
})

/** What is left to do of a group, computed. */
interface GroupAnswers {
  /** In the order of the questions. */
  readonly answers: readonly string[]
  readonly divergence: Divergence | null
}

/** Questions that are asked together. */
export const groupUnit = unitKind("questions", { input: GroupInput, output: GroupOutput })

/** What is left of a group: its questions, and whether its divergence is to be measured. */
export interface OpenGroup {
  readonly group: Group
  readonly questions: Group["questions"]
  readonly isMeasured: boolean
}

/** `questions 5 to 8 of MMBench`. */
const titleOf = ({ group: { questions } }: OpenGroup, number: number): string => {
  const { benchmark, row } = questions[0]!
  const others = questions.length === 1 ? "" : ` to ${questions.at(-1)!.row.index}`
  return `group ${number + 1}, ${questions.length === 1 ? "question" : "questions"} ${row.index}${others} of ${benchmark.name}`
}

/**
 * Hands groups out to others, in order, for the life of the scope; undefined where nobody computes for this process. Gives what others
 * made of one, by its place; undefined where it is to be computed here.
 */
export const groupsElsewhere = Effect.fnUntraced(function* (
  directory: string,
  title: string,
  groups: readonly OpenGroup[]
) {
  const begun = (yield* UnitComputers)?.begin({
    ...{ stage: directory, name: "questions-00000000", title: `the questions of ${title}` },
    bits: "allowed"
  })
  const batch = begun === undefined ? undefined : yield* begun
  if (batch === undefined) return undefined
  yield* Effect.addFinalizer(() => batch.end)
  const ask = (at: number) => {
    const open = groups[at]!
    const input = {
      at: open.group.at,
      questions: open.questions.map(({ digest }) => digest),
      measured: open.isMeasured ? open.group.measuredDigest : null
    }
    const unit = { name: numbered("group", at, 6), title: titleOf(open, at), input }
    const take = (output: GroupAnswers) =>
      output.answers.length === input.questions.length
        ? Effect.succeed(output)
        : Effect.fail(new EvaluationFailed({ title, reason: `${unit.title}: an answer is missing` }))
    return batch.ask(groupUnit, unit, take)
  }
  // One that is asked, and one that waits, so that a runner goes on at once.
  const { resultOf } = yield* unitsAhead({ batch, count: groups.length, perRunner: 2, ask })
  return resultOf
})

/** The group that a unit means, among those of this process. */
export const openGroupOf = (
  { at, questions, measured }: typeof GroupInput.Type,
  groups: readonly Group[]
): OpenGroup | undefined => {
  const wanted = new Set(questions)
  const group = groups.find(
    (each) =>
      each.at === at &&
      (measured === null || each.measuredDigest === measured) &&
      questions.every((digest) => each.questions.some((question) => question.digest === digest))
  )
  if (group === undefined) return undefined
  return {
    group,
    questions: group.questions.filter(({ digest }) => wanted.has(digest)),
    isMeasured: measured !== null
  }
}
