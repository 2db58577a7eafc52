/** What the report shows of reconstructed blocks. */
import type { Report } from "@speedq/pipeline"
import type { PackedWeights, QuantizerChoice } from "@speedq/quantizers"
import { layerFact, layersSection } from "../model/layerFact.ts"
import type { FittedBlock } from "./BlockProgress.ts"

/** Error of the weights that a block has. */
const keptError = ({ kept, errorNearest, errorFitted }: FittedBlock): number =>
  kept === "nearest" ? errorNearest : errorFitted

const capitalized = (text: string): string => text[0]!.toUpperCase() + text.slice(1)

/** `title` names one of the blocks, `method` the way in which they were fitted. */
export const blockSections = (
  title: string,
  method: string,
  reports: readonly FittedBlock[]
): readonly Report.Section[] => {
  const rounds = reports.some(({ undecided }) => undecided !== undefined)
  return [
    {
      _tag: "BarChart",
      title: `Reconstruction error of each ${title}`,
      yLabel: "squared error (sum over channels, mean over tokens)",
      logarithmic: true,
      series: ["what earlier blocks left", "rounded to nearest", method],
      groups: reports.map(({ block, errorBefore, errorNearest, errorFitted }) => ({
        label: `block ${block.split(".").at(-1)}`,
        values: [errorBefore, errorNearest, errorFitted]
      }))
    },
    {
      _tag: "Table",
      title: capitalized(`${title}s`),
      columns: ["block", "before", "nearest", method, ...(rounds ? ["undecided roundings, %"] : []), "kept"],
      rows: reports.map(({ block, errorBefore, errorNearest, errorFitted, undecided, kept }) => [
        block.split(".").at(-1)!,
        errorBefore,
        errorNearest,
        errorFitted,
        ...(undecided === undefined ? [] : [100 * undecided]),
        kept
      ]),
      folded: true
    }
  ]
}

/** What is known of a finished block: its error as a whole, and the bits of each of its layers. */
export const factsOfBlock = (
  report: FittedBlock,
  done: PackedWeights,
  choices: Iterable<readonly [string, QuantizerChoice]>
): readonly Report.LayerFact[] => [
  { layer: report.block, errorBefore: report.errorNearest, errorAfter: keptError(report) },
  ...[...choices].flatMap(([layer, choice]) => {
    const weight = done.get(layer)
    return weight === undefined ? [] : [{ ...layerFact(layer, choice), bytes: weight.bytes }]
  })
]

export const fittedLayers = (facts: readonly Report.LayerFact[]): readonly Report.Section[] =>
  layersSection(facts, "squared error of a block's output, rounded to nearest and with the weights that it has")
