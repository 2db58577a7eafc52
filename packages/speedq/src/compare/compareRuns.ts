/** Several runs side by side: the settings in which their recipes differ, and the numbers of their last evaluations. */
import { basename, resolve } from "node:path"
import { type RunRecord, type SettingDifference, settingsThatDiffer } from "@speedq/pipeline"
import { type ComparedMeasure, compareEvaluations, Evaluations, type Judged, readDivergences } from "@speedq/stages"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { RunNotComparable } from "../Errors.ts"
import { artefactDirectory, runArtefact } from "../models/runArtefact.ts"
import { recordOfRun } from "../recipes/recordOfRun.ts"

export interface RunComparison {
  /** Names of the runs, the first of which the others are compared with. */
  readonly runs: readonly string[]
  /** What was evaluated last in each. */
  readonly evaluations: readonly string[]
  readonly settings: readonly SettingDifference[]
  readonly measures: readonly ComparedMeasure[]
}

/** What the last evaluation of a run found, with the divergences that it kept. Fails with RunNotComparable where there is none. */
const lastEvaluation = Effect.fnUntraced(function* (directory: string, record: RunRecord) {
  const unfit = (reason: string) => new RunNotComparable({ directory, reason })
  const evaluations = yield* runArtefact(directory, record, Evaluations, unfit)
  const evaluation = evaluations?.at(-1)
  const stage = yield* artefactDirectory(directory, record, Evaluations)
  if (evaluation === undefined || stage === undefined) {
    return yield* unfit("its recipe evaluates nothing; add an evaluate stage at its end")
  }
  const judged: Judged = { evaluation, divergences: Option.getOrUndefined(yield* readDivergences(stage)) }
  return judged
})

/** Short names where they tell the runs apart. */
const namesOf = (directories: readonly string[]): readonly string[] => {
  const names = directories.map((directory) => basename(resolve(directory)))
  return new Set(names).size === names.length ? names : directories
}

/** Compares finished runs. Fails with NoRun and RunNotComparable. */
export const compareRuns = Effect.fn("compareRuns")(function* (directories: readonly string[]) {
  const records = yield* Effect.forEach(directories, recordOfRun)
  const last = yield* Effect.forEach(directories, (directory, at) => lastEvaluation(directory, records[at]!)).pipe(
    Effect.scoped
  )
  const comparison: RunComparison = {
    runs: namesOf(directories),
    evaluations: last.map(({ evaluation }) => evaluation.title),
    settings: settingsThatDiffer(records.map(({ recipe }) => recipe)),
    measures: compareEvaluations(last)
  }
  return comparison
})
