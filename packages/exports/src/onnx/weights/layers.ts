/** Layers of a network as operators of a graph, each with its weight in the form that the model has it in. */
import { parameterOf, weightNames } from "@speedq/formats"
import type { Graph } from "../graph/Graph.ts"
import { nibbles, widened } from "../graph/packedNumbers.ts"
import { microsoft } from "../protobuf/onnxMessages.ts"
import { codedValues } from "./codedValues.ts"
import type { CodedWeight } from "./codedWeight.ts"
import type { Numbers } from "./Numbers.ts"

/** A graph under construction, and where its numbers come from. */
export interface Place {
  readonly graph: Graph
  readonly numbers: Numbers
}

/** A parameter that is not quantized. */
export const parameter = ({ graph, numbers }: Place, name: string): string => numbers.parameter(graph, name)

/** Zero points of a product, u8 [rows, ceil(groups bits / 8)], bits 4 or 8. */
const zeroPoints = (graph: Graph, name: string, coded: CodedWeight): string => {
  const { rows, columns, group, bits, commonZero } = coded
  const groups = columns / group
  const rowBytes = bits === 8 ? groups : Math.ceil(groups / 2)
  if (commonZero !== undefined) {
    const byte = bits === 8 ? commonZero : commonZero * 0x11
    return graph.op("Expand", [graph.constant("u8", byte), graph.constant("i64", [rows, rowBytes])])
  }
  const stored = codedValues(graph, name, coded).zeros()
  if (bits !== 2) return stored
  return graph.slice(graph.reshape(widened(graph, stored), [rows, -1]), 1, 0, rowBytes)
}

/**
 * x W^T + b by codes: [..., columns] -> [..., rows]. Codes of 2 bits are multiplied as such of 4: onnxruntime 1.30 has a fast kernel for
 * these alone.
 */
const codedProduct = (graph: Graph, name: string, coded: CodedWeight, x: string, bias: string | undefined): string => {
  const { rows, columns, group, bits } = coded
  const bitsInGraph = bits === 8 ? 8 : 4
  const { codes, scales } = codedValues(graph, name, coded)
  const wide = bits === 2 ? widened(graph, codes()) : codes()
  const inGroups = graph.reshape(wide, [rows, columns / group, (group * bitsInGraph) / 8])
  const operands = [x, inGroups, scales(), zeroPoints(graph, name, coded), ...(bias === undefined ? [] : ["", bias])]
  const attributes = { K: columns, N: rows, bits: bitsInGraph, block_size: group }
  return graph.op("MatMulNBits", operands, attributes, microsoft)
}

/** x W^T + b with the weight and bias of a Linear: [..., K] -> [..., N]. */
export const linear = (place: Place, layer: string, x: string): string => {
  const { graph, numbers } = place
  const names = weightNames(layer)
  const bias = numbers.has(names.bias) ? parameter(place, names.bias) : undefined
  const coded = numbers.coded(layer)
  if (coded !== undefined) return codedProduct(graph, names.weight, coded, x, bias)
  const product = graph.op("MatMul", [x, graph.op("Transpose", [numbers.matrix(graph, layer)], { perm: [1, 0] })])
  return bias === undefined ? product : graph.op("Add", [product, bias])
}

/** Numbers of a row below 8 bits, one a byte, in groups: u8 [..., n] -> f32 [..., groups, group]. */
const unpackedRows = (graph: Graph, { bits, columns, group }: CodedWeight, rows: string): string => {
  const flat = (values: string, size: number) => graph.reshape(values, [0, 0, size])
  const wide = bits === 2 ? flat(widened(graph, rows), columns / 2) : rows
  const numbers = bits === 8 ? wide : nibbles(graph, wide)
  return graph.cast(graph.reshape(numbers, [0, 0, columns / group, group]), "f32")
}

/** Zero points of rows, [..., groups, 1] or one number. */
const zerosOfRows = (graph: Graph, name: string, coded: CodedWeight, ids: string): string => {
  const { bits, commonZero, columns, group } = coded
  if (commonZero !== undefined) return graph.constant("f32", commonZero)
  const stored = graph.op("Gather", [codedValues(graph, name, coded).zeros(), ids])
  const groups = columns / group
  const wide = bits === 2 ? graph.reshape(widened(graph, stored), [0, 0, -1]) : stored
  const numbers = bits === 8 ? wide : graph.slice(graph.reshape(nibbles(graph, wide), [0, 0, -1]), 2, 0, groups)
  return graph.cast(graph.reshape(numbers, [0, 0, groups, 1]), "f32")
}

/** Rows of the matrix of a layer: ids i64 [B, T] -> [B, T, columns], called `output`. */
export const rowsOf = (place: Place, layer: string, ids: string, output: string): void => {
  const { graph, numbers } = place
  const coded = numbers.coded(layer)
  if (coded === undefined) {
    graph.ops("Gather", [numbers.matrix(graph, layer), ids], [output])
    return
  }
  const name = parameterOf(layer)
  const { codes, scales } = codedValues(graph, name, coded)
  const centred = graph.op("Sub", [
    unpackedRows(graph, coded, graph.op("Gather", [codes(), ids])),
    zerosOfRows(graph, name, coded, ids)
  ])
  const scale = graph.op("Unsqueeze", [graph.op("Gather", [scales(), ids]), graph.constant("i64", [-1])])
  const rows = graph.op("Mul", [scale, centred])
  graph.ops("Reshape", [rows, graph.constant("i64", [0, 0, coded.columns])], [output])
}

/** LayerNorm over the last axis. */
export const layerNorm = (place: Place, layer: string, x: string, eps: number): string => {
  const { weight, bias } = weightNames(layer)
  const operands = [x, parameter(place, weight), parameter(place, bias)]
  return place.graph.op("LayerNormalization", operands, { axis: -1, epsilon: { float: eps } })
}

/** RMSNorm over the last axis. */
export const rmsNorm = (place: Place, layer: string, x: string, eps: number): string =>
  // Before opset 23 ONNX has none; onnxruntime knows this one in its domain.
  place.graph.op("SimplifiedLayerNormalization", [x, parameter(place, parameterOf(layer))], {
    axis: -1,
    epsilon: { float: eps },
    stash_type: 1
  })
