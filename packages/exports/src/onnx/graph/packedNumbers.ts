/**
 * Operators that take numbers below 8 bits out of bytes, the lowest bits first, as packed files hold them. onnxruntime computes them once,
 * when a model is loaded, where the bytes are those of the file.
 */
import type { Graph } from "./Graph.ts"

const masked = (graph: Graph, bytes: string, mask: number): string =>
  graph.op("BitwiseAnd", [bytes, graph.constant("u8", mask)])

const shifted = (graph: Graph, bytes: string, direction: "LEFT" | "RIGHT", count: number): string =>
  graph.op("BitShift", [bytes, graph.constant("u8", count)], { direction })

/** u8 [..., n] twice -> [..., n, 2]: a first, then b. */
const inTurn = (graph: Graph, a: string, b: string): string => {
  const last = graph.constant("i64", [-1])
  return graph.op(
    "Concat",
    [a, b].map((each) => graph.op("Unsqueeze", [each, last])),
    { axis: -1 }
  )
}

/** 4-bit numbers, two a byte -> one a byte: u8 [..., n] -> [..., n, 2]. */
export const nibbles = (graph: Graph, bytes: string): string =>
  inTurn(graph, masked(graph, bytes, 0x0f), shifted(graph, bytes, "RIGHT", 4))

/** 2-bit numbers, four a byte -> 4-bit numbers, two a byte: u8 [..., n] -> [..., n, 2]. */
export const widened = (graph: Graph, bytes: string): string => {
  const spread = (pair: string): string =>
    graph.op("BitwiseOr", [masked(graph, pair, 0x03), shifted(graph, masked(graph, pair, 0x0c), "LEFT", 2)])
  return inTurn(graph, spread(bytes), spread(shifted(graph, bytes, "RIGHT", 4)))
}
