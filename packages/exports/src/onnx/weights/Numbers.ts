/** The numbers of a model as initializers of graphs, and how far they are from the model's. */
import { parameterOf } from "@speedq/formats"
import type { PackedWeight } from "@speedq/quantizers"
import type { Tensor } from "@speedq/tensors"
import { type Difference, exact, larger } from "../../exporter/Difference.ts"
import { writtenAs } from "../../exporter/writtenAs.ts"
import type { DeployedModel } from "../../model/deployedModel.ts"
import type { Graph } from "../graph/Graph.ts"
import { type CodedWeight, codedWeight } from "./codedWeight.ts"

/** Format of matrices that have no codes in the file; everything else that is no code is f32. */
export type MatrixDType = "f32" | "f16"

export interface Numbers {
  readonly has: (parameter: string) => boolean
  /** A parameter that is not quantized, in f32. */
  readonly parameter: (graph: Graph, name: string) => string
  /** The codes of a layer; undefined where the file has none of it. */
  readonly coded: (layer: string) => CodedWeight | undefined
  /** The matrix [out, in] of a layer in f32, dequantized where it is packed. */
  readonly matrix: (graph: Graph, layer: string) => string
  /** Layers that are packed in a form that the operators do not know, and are written dequantized. */
  readonly dequantized: readonly string[]
  /** Parameters with numbers that f16 does not hold; known when everything is written. */
  readonly tooLarge: () => readonly string[]
  /** Of matrices without codes, for codes stand for the same numbers; known when everything is written. */
  readonly difference: () => Difference
}

export const numbersOf = ({ packed, others }: DeployedModel, matrices: MatrixDType): Numbers => {
  const coded = new Map([...packed].map(([layer, weight]) => [layer, codedWeight(weight)]))
  let difference = exact
  const tooLarge = new Set<string>()
  const note = (name: string, changed: Difference) => {
    difference = larger(difference, changed)
    if (!Number.isFinite(changed.maxAbsErr)) tooLarge.add(name)
  }
  const initializer = (graph: Graph, name: string, dtype: MatrixDType, given: Tensor | PackedWeight) => {
    const make = async () => writtenAs(given, { dtype, done: (changed) => note(name, changed) })
    const stored = graph.weight(name, dtype, given.shape, make)
    return dtype === "f32" ? stored : graph.cast(stored, "f32")
  }
  const plain = (graph: Graph, name: string, dtype: MatrixDType) => {
    const tensor = others[name]!
    // Halves have no bit more in f32.
    return initializer(graph, name, tensor.dtype === "f16" ? "f16" : dtype, tensor)
  }
  return {
    has: (name) => others[name] !== undefined,
    parameter: (graph, name) => plain(graph, name, "f32"),
    coded: (layer) => coded.get(layer),
    matrix: (graph, layer) => {
      const name = parameterOf(layer)
      const weight = packed.get(layer)
      if (weight === undefined) return plain(graph, name, matrices)
      return initializer(graph, name, matrices, weight)
    },
    dequantized: [...coded].flatMap(([layer, codes]) => (codes === undefined ? [layer] : [])),
    tooLarge: () => [...tooLarge],
    difference: () => difference
  }
}
