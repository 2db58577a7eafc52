/** Writes the page of a comparison. */
import { AtomicFile } from "@speedq/formats"
import { whileDoing } from "@speedq/pipeline"
import type { RunComparison } from "./compareRuns.ts"
import { comparisonPage } from "./comparisonPage.ts"

export const writeComparison = (file: string, comparison: RunComparison) =>
  whileDoing(
    "write the comparison",
    file
  )(AtomicFile.writeWhole(file, new TextEncoder().encode(comparisonPage(comparison))))
