/** What each rule of a recipe decides, in a line. */
import { formatBytes, type Stage } from "@speedq/pipeline"
import { encodeChoice } from "@speedq/quantizers"
import { sizeOf } from "@speedq/tensors"
import { Allocation } from "../artefacts/artefacts.ts"
import { type PlannedLayers, quantizing } from "../model/plannedLayers.ts"
import { givenBefore } from "./givenBefore.ts"

const millions = (count: number): string => (count / 1e6).toFixed(count < 1e7 ? 2 : 1)

/** What goes before rules, where a stage before allocates bits: known only once that has measured. */
const allocationLines = (place: Stage.PlaceInRecipe | undefined): readonly string[] =>
  place !== undefined && givenBefore(place, Allocation)
    ? ["allocate-bits, before this stage, chooses the quantizers of the layers that it names, in place of these rules"]
    : []

/** `bilevel bits=2 group=16 (rule 0, "**"): 168 layers, 357.8 M weights, 106.6 MiB, 2.500 bits a weight`. */
export const ruleLines = ({ rules, plan }: PlannedLayers, place?: Stage.PlaceInRecipe): readonly string[] => {
  const decided = rules.map(({ match, choice }, rule) => {
    const layers = plan.layers.filter((layer) => layer.rule === rule)
    const weights = layers.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
    const bytes = layers.reduce((sum, layer) => sum + layer.bytes, 0)
    const { use, with: options } = encodeChoice(choice)
    const told = Object.entries(options as object).map(([name, value]) => ` ${name}=${value}`)
    const bits = choice.quantizer.bitsPerWeight(choice.config).toFixed(3)
    return `${use}${told.join("")} (rule ${rule}, "${match}"): ${layers.length} layers, ${millions(weights)} M weights, ${formatBytes(bytes)}, ${bits} bits a weight`
  })
  const linears = plan.unmatched.filter(({ kind }) => kind === "linear").length
  const lines = [...decided, ...allocationLines(place)]
  return linears === 0 ? lines : [...lines, `no rule names ${linears} other layers: they are not quantized`]
}

/** Bytes of everything that rules quantize. */
export const quantizedBytes = ({ plan, choices }: PlannedLayers): number => {
  const quantized = quantizing(choices)
  return plan.layers.reduce((sum, { name, bytes }) => (quantized.has(name) ? sum + bytes : sum), 0)
}
