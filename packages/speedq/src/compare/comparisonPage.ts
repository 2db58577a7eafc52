/** A comparison of runs as a page, for others: absolute paths are cut. */
import { publicSection, type Report, renderReport } from "@speedq/pipeline"
import type { RunComparison } from "./compareRuns.ts"
import { measureTable, settingsTable } from "./comparisonTables.ts"

export const comparisonPage = (comparison: RunComparison): string => {
  const { runs, evaluations } = comparison
  const settings = settingsTable(comparison)
  const same: Report.Section = { _tag: "Text", title: "", paragraphs: ["The recipes are the same."] }
  const chapters: Report.Report["chapters"] = [
    {
      title: "Settings and results",
      sections: [settings ?? same, measureTable(comparison), ...sizePicture(comparison)].map(publicSection)
    }
  ]
  const evaluated = runs.map((run, at) => `${run} (${evaluations[at]})`).join(", ")
  return renderReport({
    title: runs.join(" and "),
    subtitle: `Compared by their last evaluations: ${evaluated}`,
    chapters
  })
}

/** Quality against size, where runs differ in size: by the first measure, which is the one of most interest. */
const sizePicture = ({ runs, measures }: RunComparison): readonly Report.Section[] => {
  const [quality] = measures
  const sizes = measures.find(({ name }) => name === "MB")
  if (quality === undefined || sizes === undefined || new Set(sizes.values).size < 2) return []
  const points = runs.flatMap((name, at) => {
    const [x, y] = [sizes.values[at], quality.values[at]]
    return typeof x === "number" && typeof y === "number" ? [{ name, x, y }] : []
  })
  return [{ _tag: "Scatter", title: "Quality against size", xLabel: "MB", yLabel: quality.name, points }]
}
