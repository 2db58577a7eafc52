/** Judges records of a mixture by the rules of a stage, without their files: which are none, which it refuses, which teach nothing. */
import { hasAnswer, type RecordRules, readRecord, recordRules, type Shown } from "@speedq/vlm-model"
import * as Result from "effect/Result"
import { visitLines } from "./recordSurvey.ts"

export interface RuledRecords {
  /** Lines of the annotation file, counted from 0, ascending. */
  readonly lines: Uint32Array
  /** What each shows; undefined where it cannot be used. */
  readonly shown: readonly (Shown | undefined)[]
  /** Why a line is no record, and why a record is refused, by the line. */
  readonly noRecords: ReadonlyMap<number, string>
  readonly refused: ReadonlyMap<number, string>
  /** Records that can be used and have an answer. */
  readonly answered: number
}

/** `starts` are the offsets of all lines of `file`, then the end. */
export const ruleRecords = async (
  file: string,
  starts: Float64Array,
  lines: Uint32Array,
  rules: RecordRules
): Promise<RuledRecords> => {
  const judge = recordRules(rules)
  const shown: (Shown | undefined)[] = []
  const [noRecords, refused] = [new Map<number, string>(), new Map<number, string>()]
  let answered = 0
  await visitLines(file, starts, lines, (bytes, place) => {
    const record = readRecord(bytes)
    if (Result.isFailure(record)) {
      noRecords.set(lines[place]!, record.failure)
      shown.push(undefined)
      return
    }
    const ruled = judge(record.success)
    if (Result.isFailure(ruled)) {
      refused.set(lines[place]!, ruled.failure.reason)
      shown.push(undefined)
      return
    }
    shown.push(ruled.success.shown)
    if (hasAnswer(record.success)) answered++
  })
  return { lines, shown, noRecords, refused, answered }
}
