/** What the report shows of reconstructed blocks. */
import type { Report } from "@speedq/pipeline"
import type { QuantizerChoice } from "@speedq/quantizers"
import { layerFact, layersSection } from "../model/layerFact.ts"
import type { RoundedBlock, VisionRounding } from "./VisionRounding.ts"

/** Error of the rounding that a block has. */
const keptError = ({ kept, errorNearest, errorAdaround }: RoundedBlock): number =>
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

/** What is known of a finished block: its error as a whole, and the bits of each of its layers. */
export const factsOfBlock = (
  report: RoundedBlock,
  done: VisionRounding["done"],
  choices: Iterable<readonly [string, QuantizerChoice]>
): readonly Report.LayerFact[] => [
  { layer: report.block, errorBefore: report.errorNearest, errorAfter: keptError(report) },
  ...[...choices].flatMap(([layer, choice]) => {
    const weight = done.get(layer)
    return weight === undefined ? [] : [{ ...layerFact(layer, choice), bytes: weight.bytes }]
  })
]

export const roundedLayers = (facts: readonly Report.LayerFact[]): readonly Report.Section[] =>
  layersSection(facts, "squared error of a block's output, rounded to nearest and with the rounding that it has")
