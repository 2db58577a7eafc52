/** What a check found, as the documents that the command writes. */
import type { DataCheck, NamedLine, SourceCheck } from "@speedq/stages"

export interface LineOfCheck extends NamedLine {
  /** Stages that use it; none of a meta file. */
  readonly stages: readonly string[]
}

export const linesOf = ({ stages, named }: DataCheck): readonly LineOfCheck[] =>
  named.map((line) => ({ stages, ...line }))

/** Checks of mixtures, and of what else stages read. */
export interface Checks {
  readonly checks: readonly DataCheck[]
  readonly others: readonly SourceCheck[]
}

export const problemsOf = ({ checks, others }: Checks): readonly string[] =>
  [...others, ...checks].flatMap(({ problems }) => problems)

const ofCheck = ({ stages, data, recipe, decoded, datasets, named, problems, warnings }: DataCheck) => {
  const { meta, percent, maxLength, maxTiles, onError } = data
  return {
    ...{ stages, meta, ...recipe, percent, maxLength, maxTiles, onError, decoded },
    ...{ datasets, lines: named, problems, warnings }
  }
}

/** The document of `--json`. */
export const checkJson = (named: string, found: Checks, preview: string | undefined) => ({
  checked: named,
  trainable: problemsOf(found).length === 0,
  checks: found.checks.map(ofCheck),
  sources: found.others,
  preview: preview ?? null
})
