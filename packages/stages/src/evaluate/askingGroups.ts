/** The groups of an evaluation that are still open, asked one after the other: here, or by other processes ahead of this one. */
import { type RowInvalid, RowsUnreadable } from "@speedq/evaluation"
import { UnitOffer } from "@speedq/pipeline"
import type { AnsweringModel } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { EvaluationFailed } from "../Errors.ts"
import { type Answers, isDone } from "./Answers.ts"
import { askRows, divergenceOver } from "./askRows.ts"
import type { Group } from "./groupedRows.ts"
import { groupsElsewhere, groupUnit, type OpenGroup, openGroupOf } from "./groupUnits.ts"

interface AskingOptions {
  /** Of the evaluation, for messages, and the stage's directory. */
  readonly title: string
  readonly directory: string
  readonly model: AnsweringModel
  /** The full-precision model, which divergence is measured from. */
  readonly original: Pick<AnsweringModel, "directory" | "weights">
  readonly groups: readonly Group[]
}

/** What is left of a group. */
const leftOf = (state: Answers, group: Group): OpenGroup => {
  const { answers, measured } = state.benchmarks[group.at]!
  return {
    group,
    questions: group.questions.filter(({ digest }) => !answers.has(digest)),
    isMeasured: group.measured.length > 0 && !measured.has(group.measuredDigest)
  }
}

/** Offers to ask groups for other processes, and gives the steps of the stage; others are asked as long as its scope is. */
export const askingGroups = Effect.fnUntraced(function* ({ title, directory, model, original, groups }: AskingOptions) {
  /** Answers here; rows that cannot be asked are refused. */
  const compute = Effect.fnUntraced(function* ({ group, questions, isMeasured }: OpenGroup) {
    const { given, refused } = yield* askRows(model, questions)
    const isWhole = refused.length === 0
    const divergence = isMeasured && isWhole ? yield* divergenceOver(model, original, group.measured) : null
    return { given, refused, divergence }
  })
  const services = yield* Effect.context<Effect.Services<ReturnType<typeof compute>>>()
  const offer = yield* UnitOffer
  offer?.(groupUnit, (input) =>
    Effect.gen(function* () {
      const found = openGroupOf(input, groups)
      if (found === undefined) {
        return yield* new EvaluationFailed({ title, reason: "the questions are others on this machine" })
      }
      const { given, refused, divergence } = yield* compute(found)
      // Whoever asks meets the same, and says it.
      if (refused[0] !== undefined) return yield* new EvaluationFailed({ title, reason: refused[0].message })
      return { answers: given.map(([, answer]) => answer), divergence }
    }).pipe(Effect.provideContext(services))
  )

  // Groups that are still to be asked, in order, from place `next` on; and rows of those before it that cannot be.
  let open: readonly Group[] = groups
  let next = 0
  const unreadable: RowInvalid[] = []
  const standing = (state: Answers) => {
    open = groups.filter((group) => !isDone(state, group))
    next = 0
    return groups.length - open.length
  }
  const scope = yield* Effect.scope
  // Begun with the first step: what is open is known by then.
  let elsewhere: Effect.Success<ReturnType<typeof groupsElsewhere>> | "unknown" = "unknown"
  /** What others made of the next group; undefined where it is to be asked here. */
  const fromElsewhere = Effect.fnUntraced(function* (state: Answers) {
    if (elsewhere === "unknown") {
      const left = open.map((group) => leftOf(state, group))
      elsewhere = yield* Effect.provideService(groupsElsewhere(directory, title, left), Scope.Scope, scope)
    }
    return elsewhere === undefined ? undefined : yield* elsewhere(next)
  })
  /** Asks what is left of a group; whether all of its rows could be. */
  const askGroup = Effect.fnUntraced(function* (state: Answers, group: Group) {
    const left = leftOf(state, group)
    const found = yield* fromElsewhere(state)
    const { given, refused, divergence } =
      found === undefined
        ? yield* compute(left)
        : { ...found, refused: [], given: left.questions.map((each, at) => [each, found.answers[at]!] as const) }
    const { answers, measured } = state.benchmarks[group.at]!
    for (const [{ row, digest }, answer] of given) answers.set(digest, { index: row.index, answer })
    unreadable.push(...refused)
    if (divergence !== null) measured.set(group.measuredDigest, divergence)
    return refused.length === 0
  })
  const step = Effect.fnUntraced(function* (state: Answers) {
    while (next < open.length) {
      const whole = yield* askGroup(state, open[next]!)
      next++
      if (whole) return { state, metrics: {} }
    }
    const [first, ...others] = unreadable
    return yield* new RowsUnreadable({ rows: [first!, ...others], keptIn: directory })
  })
  return { standing, step }
})
