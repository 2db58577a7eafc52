/** What a check found, as the documents that the command writes. */
import type { DataCheck, NamedLine } from "@speedq/stages"

export interface LineOfCheck extends NamedLine {
  /** Stages that use it; none of a meta file. */
  readonly stages: readonly string[]
}

export const linesOf = ({ stages, named }: DataCheck): readonly LineOfCheck[] =>
  named.map((line) => ({ stages, ...line }))

export const isTrainable = (checks: readonly DataCheck[]): boolean =>
  checks.every(({ problems }) => problems.length === 0)

const ofCheck = ({ stages, data, recipe, decoded, datasets, named, problems, warnings }: DataCheck) => {
  const { meta, percent, maxLength, maxTiles, onError } = data
  return {
    ...{ stages, meta, ...recipe, percent, maxLength, maxTiles, onError, decoded },
    ...{ datasets, lines: named, problems, warnings }
  }
}

/** The document of `--json`. */
export const checkJson = (named: string, checks: readonly DataCheck[], preview: string | undefined) => ({
  checked: named,
  trainable: isTrainable(checks),
  checks: checks.map(ofCheck),
  preview: preview ?? null
})
