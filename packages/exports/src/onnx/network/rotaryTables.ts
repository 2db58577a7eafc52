/**
 * Cosines and sines of rotary positions, f32 [positions, D / 2]. The file holds those of multiples of 256 and of 0 to 255 alone, and the
 * graph makes the others, p = 256 a + b, by the sum of angles: a table of all positions of a long context would take as much as a layer.
 */
import type { Graph } from "../graph/Graph.ts"

const near = 256

/** Cosines and sines of the angles p base^(-2 i / D) of positions p: [count, D / 2] each. */
const angles = (base: number, width: number, count: number, step: number) => {
  const half = width / 2
  const table = (of: (angle: number) => number) =>
    Float32Array.from({ length: count * half }, (_, at) =>
      of(step * Math.floor(at / half) * base ** ((-2 * (at % half)) / width))
    )
  return { cos: table(Math.cos), sin: table(Math.sin) }
}

interface RotaryOptions {
  readonly base: number
  /** D, of one head. */
  readonly width: number
  /** Longest context; the table is filled up to a multiple of 256. */
  readonly positions: number
}

export const rotaryTables = (
  graph: Graph,
  { base, width, positions }: RotaryOptions
): { readonly cos: string; readonly sin: string } => {
  const half = width / 2
  const far = Math.ceil(positions / near)
  const held = (name: string, values: Float32Array, shape: readonly number[]) => graph.table(name, values, shape)
  const [large, small] = [angles(base, width, far, near), angles(base, width, near, 1)]
  const [cosA, sinA] = [
    held("rotary.far.cos", large.cos, [far, 1, half]),
    held("rotary.far.sin", large.sin, [far, 1, half])
  ]
  const [cosB, sinB] = [
    held("rotary.near.cos", small.cos, [1, near, half]),
    held("rotary.near.sin", small.sin, [1, near, half])
  ]
  const product = (a: string, b: string) => graph.op("Mul", [a, b])
  const table = (values: string) => graph.reshape(values, [far * near, half])
  return {
    cos: table(graph.op("Sub", [product(cosA, cosB), product(sinA, sinB)])),
    sin: table(graph.op("Add", [product(sinA, cosB), product(cosA, sinB)]))
  }
}
