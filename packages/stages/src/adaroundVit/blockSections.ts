/** What the report shows of reconstructed blocks. */
import type { Report } from "@speedq/pipeline"
import type { RoundedBlock } from "./VisionRounding.ts"

/** Error of the rounding that a block has. */
export const keptError = ({ kept, errorNearest, errorAdaround }: RoundedBlock): number =>
  kept === "nearest" ? errorNearest : errorAdaround

export const blockSections = (reports: readonly RoundedBlock[]): readonly Report.Section[] => [
  {
    _tag: "BarChart",
    title: "Reconstruction error of each vision block",
    yLabel: "squared error (sum over channels, mean over tokens)",
    logarithmic: true,
    series: ["what earlier blocks left", "rounded to nearest", "AdaRound"],
    groups: reports.map(({ block, errorBefore, errorNearest, errorAdaround }) => ({
      label: `block ${block.split(".").at(-1)}`,
      values: [errorBefore, errorNearest, errorAdaround]
    }))
  },
  {
    _tag: "Table",
    title: "Vision blocks",
    columns: ["block", "before", "nearest", "AdaRound", "undecided roundings, %", "kept"],
    rows: reports.map(({ block, errorBefore, errorNearest, errorAdaround, undecided, kept }) => [
      block.split(".").at(-1)!,
      errorBefore,
      errorNearest,
      errorAdaround,
      100 * undecided,
      kept
    ]),
    folded: true
  }
]
