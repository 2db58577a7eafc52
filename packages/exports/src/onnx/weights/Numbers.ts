/** The numbers of a model as initializers of graphs, and how far they are from the model's. */
import { parameterOf } from "@speedq/formats"
import { noGrad, type Shape, type Tensor } from "@speedq/tensors"
import { type Difference, exact, larger } from "../../exporter/Difference.ts"
import { writtenAs } from "../../exporter/entries.ts"
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
  /** Of matrices without codes, for codes stand for the same numbers; known when everything is written. */
  readonly difference: () => Difference
}

export const numbersOf = ({ packed, others }: DeployedModel, matrices: MatrixDType): Numbers => {
  const coded = new Map([...packed].map(([layer, weight]) => [layer, codedWeight(weight)]))
  let difference = exact
  const write = async (name: string, tensor: Tensor, dtype: MatrixDType) => {
    const { bytes, difference: changed } = await writtenAs(tensor, dtype)
    if (!Number.isFinite(changed.maxAbsErr))
      throw new Error(`${name} has numbers too large for f16; set "dtype" to f32`)
    difference = larger(difference, changed)
    return bytes
  }
  const initializer = (graph: Graph, name: string, shape: Shape, dtype: MatrixDType, take: () => Tensor) => {
    const stored = graph.weight(name, dtype, shape, () => write(name, take(), dtype))
    return dtype === "f32" ? stored : graph.cast(stored, "f32")
  }
  const plain = (graph: Graph, name: string, dtype: MatrixDType) => {
    const tensor = others[name]!
    // Halves have no bit more in f32.
    return initializer(graph, name, tensor.shape, tensor.dtype === "f16" ? "f16" : dtype, () => tensor.alias())
  }
  return {
    has: (name) => others[name] !== undefined,
    parameter: (graph, name) => plain(graph, name, "f32"),
    coded: (layer) => coded.get(layer),
    matrix: (graph, layer) => {
      const name = parameterOf(layer)
      const weight = packed.get(layer)
      if (weight === undefined) return plain(graph, name, matrices)
      return initializer(graph, name, weight.shape, matrices, () => noGrad(() => weight.unpack()))
    },
    dequantized: [...coded].flatMap(([layer, codes]) => (codes === undefined ? [layer] : [])),
    difference: () => difference
  }
}
