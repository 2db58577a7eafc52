/** What the report shows of an allocation: the sensitivity of every unit, what it got, and what the budget holds. */
import { formatNumber, type Report } from "@speedq/pipeline"
import { chosenLayers } from "../model/layerFact.ts"
import { bitsText, choicesOfUnits, type Room, type Sensitivities } from "./allocation.ts"
import type { Unit } from "./units.ts"

interface Allocated {
  readonly units: readonly Unit[]
  readonly sensitivities: Sensitivities
  readonly chosen: readonly number[]
  readonly room: Room
  /** Answer tokens that were measured on. */
  readonly tokens: number
}

const bitsOf = ({ weights, candidates }: Unit, at: number): number => candidates[at]!.bits / weights

/** `1: 2.500 bits`: candidates by their places in the option, with their bits over all units. */
export const candidateNames = (units: readonly Unit[]): readonly string[] => {
  const weights = units.reduce((sum, unit) => sum + unit.weights, 0)
  return units[0]!.candidates.map((_, at) => {
    const bits = units.reduce((sum, { candidates }) => sum + candidates[at]!.bits, 0)
    return `${at + 1}: ${(bits / weights).toFixed(3)} bits`
  })
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0)

/** Sums over all units: of what was chosen, and of each candidate for all that fits the budget. */
const comparison = ({ units, sensitivities, chosen, room, tokens }: Allocated): readonly string[] => {
  const together = (pick: (unit: number) => number) => ({
    bits: sum(units.map(({ candidates }, unit) => candidates[pick(unit)]!.bits)),
    divergence: sum(units.map((_, unit) => sensitivities[unit]![pick(unit)]!)) / tokens
  })
  const told = ({ bits, divergence }: ReturnType<typeof together>) =>
    `${bitsText(bits, room.weights)}, divergences of ${formatNumber(divergence)} nats a token together`
  return [
    `Chosen: ${told(together((unit) => chosen[unit]!))}. The budget: ${bitsText(room.budget, room.weights)}.`,
    ...candidateNames(units).map((name, at) => `Candidate ${name} for all: ${told(together(() => at))}.`),
    `A divergence is KL(full precision || model with one unit rounded to nearest), over ${tokens} answer tokens. Their sum stands for that of the whole model; an evaluation measures it.`
  ]
}

export const allocationSections = (allocated: Allocated): readonly Report.Section[] => {
  const { units, sensitivities, chosen, tokens } = allocated
  const names = candidateNames(units)
  return [
    { _tag: "Text", title: "Bits under the budget", paragraphs: comparison(allocated) },
    {
      _tag: "Table",
      title: "Sensitivity: divergence in nats a token, by unit and candidate",
      columns: ["unit", "weights", ...names, "chosen", "bits a weight"],
      rows: units.map((unit, at) => [
        unit.name,
        unit.weights,
        ...sensitivities[at]!.map((divergence) => divergence / tokens),
        names[chosen[at]!]!,
        bitsOf(unit, chosen[at]!)
      ])
    },
    ...chosenLayers(choicesOfUnits(units, chosen))
  ]
}
