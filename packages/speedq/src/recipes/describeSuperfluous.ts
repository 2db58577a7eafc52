/** What a run no longer uses, as a person reads it. */
import { formatBytes, type Superfluous } from "@speedq/pipeline"
import { textTable } from "../command/textTable.ts"

const bytesOf = (superfluous: readonly Superfluous[]): string =>
  formatBytes(superfluous.reduce((sum, { bytes }) => sum + bytes, 0))

export const describeSuperfluous = (
  directory: string,
  { superfluous, foreign }: { readonly superfluous: readonly Superfluous[]; readonly foreign: readonly string[] }
): string => {
  const stays = foreign.map((path) => `${path} stays: no manifest of the run says that it is its own`)
  if (superfluous.length === 0) return [`${directory} has nothing that it no longer uses`, ...stays].join("\n")
  const rows = superfluous.map(({ path, what, bytes }) => [path, what, formatBytes(bytes)])
  return [`${directory} no longer uses ${bytesOf(superfluous)}:`, textTable(["what", "", "size"], rows), ...stays].join(
    "\n"
  )
}

export const describeRemoval = (superfluous: readonly Superfluous[], removed: boolean): string =>
  removed ? `removed ${bytesOf(superfluous)}` : "nothing was removed; --yes removes it"
