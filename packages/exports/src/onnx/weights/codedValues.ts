/** Codes, zero points and scales of a coded weight as values of a graph, out of the numbers that its file holds. */
import { packedBytes } from "@speedq/quantizers"
import type { Graph } from "../graph/Graph.ts"
import { nibbles } from "../graph/packedNumbers.ts"
import type { CodedWeight, SecondLevel } from "./codedWeight.ts"

interface CodedValues {
  /** As the file has them: u8 [rows, columns bits / 8]. */
  readonly codes: () => string
  /** As the file has them: u8 [rows, ceil(groups bits / 8)]. */
  readonly zeros: () => string
  /** f32 [rows, groups] */
  readonly scales: () => string
}

/** Weights of the graph are called `<name>.<stored tensor>`. */
export const codedValues = (graph: Graph, name: string, coded: CodedWeight): CodedValues => {
  const { rows, columns, bits, group, scales } = coded
  const groups = columns / group
  const nameOf = (part: string) => `${name}.${part}`
  const asStored = (part: string, type: "u8" | "f16" | "f32", shape: readonly number[]) =>
    graph.weight(nameOf(part), type, shape, () => coded.stored(part))
  const floats = (part: string, type: "f16" | "f32", shape: readonly number[]) => {
    const stored = asStored(part, type, shape)
    return type === "f32" ? stored : graph.cast(stored, "f32")
  }
  /** Scale codes [groups, rows], two a byte; `scaleGroup` of them share a step and an origin. */
  const bilevelScales = ({ scaleGroup, secondLevel }: SecondLevel) => {
    const count = groups * rows
    const pairs = nibbles(graph, asStored("scaleCodes", "u8", [packedBytes(count, 4)]))
    const all = graph.slice(graph.reshape(pairs, [-1]), 0, 0, count)
    const codes = graph.reshape(graph.cast(all, "f32"), [count / scaleGroup, scaleGroup])
    const step = floats("step", secondLevel, [count / scaleGroup, 1])
    const origin = floats("origin", secondLevel, [count / scaleGroup, 1])
    const scaled =
      secondLevel === "f16"
        ? graph.op("Add", [graph.op("Mul", [step, codes]), origin])
        : graph.op("Mul", [step, graph.op("Sub", [codes, origin])])
    return graph.op("Transpose", [graph.reshape(scaled, [groups, rows])], { perm: [1, 0] })
  }
  return {
    codes: () => graph.weight(nameOf("codes"), "u8", [rows, (columns * bits) / 8], coded.codes),
    zeros: () => graph.weight(nameOf("zeros"), "u8", [rows, packedBytes(groups, bits)], coded.zeros),
    scales: () => (scales.type === "bilevel" ? bilevelScales(scales) : floats("scale", scales.dtype, [rows, groups]))
  }
}
