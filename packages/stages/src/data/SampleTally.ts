/** What a stage has seen of its data: samples, those without anything to learn, and records that others took the places of. */
import type { Report } from "@speedq/pipeline"
import * as Schema from "effect/Schema"
import { NothingToLearn } from "../Errors.ts"
import type { MicroBatchFacts } from "./microBatchFacts.ts"

/** A record that could not be used. */
const Replaced = Schema.Struct({
  record: Schema.String,
  reason: Schema.String,
  by: Schema.String,
  times: Schema.Int
})

export const SampleTally = Schema.Struct({
  samples: Schema.Int,
  /** Samples without an answer, and those whose answers were cut off: nothing is learned from either. */
  withoutAnswer: Schema.Int,
  answerCut: Schema.Int,
  /** Samples that were cut at maxLength, whatever was left of their answers. */
  cut: Schema.Int,
  /** The first sample of either kind. */
  first: Schema.Array(Schema.String),
  substituted: Schema.Int,
  /** Each pair of records once, the first of them. */
  replaced: Schema.Array(Replaced)
})
export type SampleTally = typeof SampleTally.Type

export const emptyTally: SampleTally = {
  samples: 0,
  withoutAnswer: 0,
  answerCut: 0,
  cut: 0,
  first: [],
  substituted: 0,
  replaced: []
}

/** Replaced records that are named; more are only counted. */
const mostNamed = 1000

/** Samples after which a stage that has met no answer stops. */
const enough = 64

type Describe = (sample: number) => string

/**
 * A reason without the words of the codec: libvips has one list of errors for all threads, so that they may be another picture's. What
 * is saved must be the same however often a run was killed; the events have the words.
 */
export const lasting = (reason: string): string => reason.replace(/(: not an image that can be read): .*$/s, "$1")

const replacedIn = (tally: SampleTally, batch: MicroBatchFacts, describe: Describe): SampleTally["replaced"] => {
  let { replaced } = tally
  for (const { sample, at, reason: said, by } of batch.substituted) {
    const reason = lasting(said)
    const [record, other] = [at ?? describe(sample), describe(by)]
    const known = replaced.findIndex((each) => each.record === record && each.by === other && each.reason === reason)
    if (known >= 0) replaced = replaced.with(known, { ...replaced[known]!, times: replaced[known]!.times + 1 })
    else if (replaced.length < mostNamed) replaced = [...replaced, { record, reason, by: other, times: 1 }]
  }
  return replaced
}

/** Counts a micro-batch in. */
export const counted = (tally: SampleTally, batch: MicroBatchFacts, describe: Describe): SampleTally => {
  const rows = batch.made.map((sample, row) => ({
    sample,
    without: batch.answerTokens[row] === 0,
    cut: batch.cut[row]! > 0
  }))
  const nothing = rows.filter(({ without }) => without)
  const cutOff = nothing.filter(({ cut }) => cut)
  const noAnswer = nothing.filter(({ cut }) => !cut)
  const firsts = [tally.answerCut === 0 ? cutOff[0] : undefined, tally.withoutAnswer === 0 ? noAnswer[0] : undefined]
  return {
    samples: tally.samples + rows.length,
    withoutAnswer: tally.withoutAnswer + noAnswer.length,
    answerCut: tally.answerCut + cutOff.length,
    cut: tally.cut + rows.filter(({ cut }) => cut).length,
    first: [...tally.first, ...firsts.flatMap((row) => (row === undefined ? [] : [describe(row.sample)]))],
    substituted: tally.substituted + batch.substituted.length,
    replaced: replacedIn(tally, batch, describe)
  }
}

/** The data that a tally is of. */
interface Counted {
  readonly meta: string
  readonly maxLength: number
}

/** NothingToLearn where no sample so far had an answer, and they are enough or `all` there are. */
export const nothingToLearn = (
  { samples, withoutAnswer, answerCut, first }: SampleTally,
  { meta, maxLength }: Counted,
  all: boolean
): NothingToLearn | undefined =>
  withoutAnswer + answerCut === samples && (samples >= enough || all)
    ? new NothingToLearn({ meta, samples, withoutAnswer, answerCut, first, maxLength })
    : undefined

const percent = (count: number, of: number): string => `${count} of ${of} (${((100 * count) / of).toFixed(1)} %)`

/** What is to be warned of, by its kind: more than `share` of the samples teach nothing, or are cut. */
export const tallyWarnings = (
  tally: SampleTally,
  { meta, maxLength }: Counted,
  share: number
): { readonly [kind: string]: string } => {
  const { samples, withoutAnswer, answerCut, cut, first } = tally
  const nothing = withoutAnswer + answerCut
  return {
    ...(nothing > share * samples && {
      nothing: `${meta}: nothing is learned from ${percent(nothing, samples)} samples: ${withoutAnswer} have no answer, the answers of ${answerCut} were cut off at maxLength ${maxLength}; see ${first.join(", ")}`
    }),
    ...(cut > share * samples && {
      cut: `${meta}: ${percent(cut, samples)} samples were cut at maxLength ${maxLength}`
    })
  }
}

/** Whether enough was seen to speak of a share. */
export const isTelling = ({ samples }: SampleTally): boolean => samples >= enough

/** What the report says of the data. */
export const dataSections = (tally: SampleTally, { meta, maxLength }: Counted): readonly Report.Section[] => {
  const { samples, withoutAnswer, answerCut, cut, substituted, replaced } = tally
  const paragraphs = [
    `${samples} samples of ${meta}: ${samples - withoutAnswer - answerCut} to learn from, ${withoutAnswer} without an answer, ${answerCut} whose answers were cut off. ${cut} were cut at maxLength ${maxLength}.`,
    ...(substituted === 0 ? [] : [`${substituted} times a record could not be used and another took its place.`])
  ]
  const named = replaced.reduce((sum, { times }) => sum + times, 0)
  const rest = named < substituted ? ` (the first ${mostNamed}; all are in events.jsonl)` : ""
  const rows = replaced.map(({ record, reason, by, times }) => [record, reason, by, times])
  return [
    { _tag: "Text", title: "Data", paragraphs },
    ...(rows.length === 0
      ? []
      : [
          {
            _tag: "Table" as const,
            title: `Records that were replaced${rest}`,
            columns: ["record", "why", "by", "times"],
            rows
          }
        ])
  ]
}

/** Events of the records of a micro-batch that others took the places of. */
export const substitutions = (batch: MicroBatchFacts, source: string, describe: Describe) =>
  batch.substituted.map(({ sample, at, reason: detail, by }) => ({
    source,
    sample: at ?? describe(sample),
    detail,
    by: describe(by)
  }))
