/** Lays a weight [N, K] out as linearCodes wants it, and its codes back to where they came from. */
import { reshape } from "../../core/reshape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { scope } from "../../memory/scope.ts"
import { tileRows, untileRows } from "../tiles/definition.ts"
import type { CodedWeight } from "./definition.ts"
import { type CodedExtents, chunkBytes, flatShape, tileLayout, tileRowsTogether } from "./geometry.ts"

/** The scales of groups: as they are, f32, bf16 or f16 [N, K / g], or origin + step (scale code), f32 [R, K / g], R a part of N. */
export type CodedScales = { readonly scale: Tensor } | { readonly origin: Tensor; readonly step: Tensor }

const rowBytes = ({ bits }: CodedExtents, columns: number): number => (columns * bits) / 8

/** Tiles of the codes of a weight: `stream` u8 [N K bits / 8] as in unpackCodes. */
const codeTiles = (extents: CodedExtents, columns: number, stream: Tensor): Tensor =>
  tileRows(reshape(stream, [extents.rows, rowBytes(extents, columns)]), {
    together: tileRowsTogether,
    width: chunkBytes,
    steps: tileLayout(extents, columns).chunks
  })

/** The remaining tensors of a weight: `grid` u8 [N, K / g]: scale code + 16 zero. */
const scaleTiles = (
  extents: CodedExtents,
  columns: number,
  { grid, ...scales }: { readonly grid: Tensor } & CodedScales
): Pick<CodedWeight, "grid" | "origin" | "step"> => {
  const layout = tileLayout(extents, columns)
  const { steps, repeat } = layout
  const flat = ([, turns, together, width]: readonly number[]) => ({
    steps: turns!,
    together: together!,
    width: width!
  })
  const shared = (numbers: Tensor): Tensor =>
    reshape(tileRows(numbers, { together: 1, width: 1, steps, repeat }), [numbers.shape[0]!, steps])
  return {
    grid: tileRows(grid, { together: tileRowsTogether, width: 1, steps, repeat }),
    ...("scale" in scales
      ? { origin: tileRows(scales.scale, { ...flat(flatShape(layout)), repeat }) }
      : { origin: shared(scales.origin), step: shared(scales.step) })
  }
}

/**
 * `scales` gives what is laid beside the codes, and is done with before these are laid: of a head it takes half of what they do. What is
 * returned belongs to the caller's scope.
 */
export const codeWeight = (
  extents: CodedExtents,
  columns: number,
  stream: Tensor,
  scales: () => { readonly grid: Tensor } & CodedScales
): CodedWeight =>
  scope(() => {
    const beside = scope(() => scaleTiles(extents, columns, scales()))
    return { ...extents, codes: codeTiles(extents, columns, stream), ...beside }
  })

/** The bit stream of the codes of a weight with so many columns: u8 [N K bits / 8]. */
export const streamOfCodes = ({ codes, ...extents }: CodedWeight, columns: number): Tensor =>
  scope(() => {
    const bytes = rowBytes(extents, columns)
    return reshape(untileRows(codes, extents.rows, bytes), [extents.rows * bytes])
  })

/** Whether the tiles of a weight hold its scales, each of them once. */
export const holdsScales = (weight: CodedWeight, columns: number): boolean =>
  weight.step === undefined && tileLayout(weight, columns).repeat === 1

/** The scales of groups [N, K / g] of a weight whose tiles hold them, of the type that they were given in. */
export const scalesOfCodes = ({ origin, rows, group }: CodedWeight, columns: number): Tensor =>
  untileRows(origin, rows, columns / group)
