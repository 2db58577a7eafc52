/** Lays a weight [N, K] out as linearCodes wants it, and its codes back to where they came from. */
import { reshape } from "../../core/reshape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { scope } from "../../memory/scope.ts"
import { tileRows, untileRows } from "../tiles/definition.ts"
import type { CodedWeight } from "./definition.ts"
import { type CodedExtents, chunkBytes, flatShape, tileLayout, tileRowsTogether } from "./geometry.ts"

/** The scales of groups: as they are, f32 [N, K / g], or origin + step (scale code), f32 [R, K / g], R a part of N. */
export type CodedScales = { readonly scale: Tensor } | { readonly origin: Tensor; readonly step: Tensor }

const rowBytes = ({ bits }: CodedExtents, columns: number): number => (columns * bits) / 8

/**
 * `stream` u8 [N K bits / 8] as in unpackCodes, `grid` u8 [N, K / g]: scale code + 16 zero. What is returned belongs to the caller's
 * scope.
 */
export const codeWeight = (
  extents: CodedExtents,
  columns: number,
  { stream, grid, ...scales }: { readonly stream: Tensor; readonly grid: Tensor } & CodedScales
): CodedWeight =>
  scope(() => {
    const layout = tileLayout(extents, columns)
    const { steps, repeat, chunks } = layout
    const inBytes = reshape(stream, [extents.rows, rowBytes(extents, columns)])
    const flat = ([, turns, together, width]: readonly number[]) => ({
      steps: turns!,
      together: together!,
      width: width!
    })
    const shared = (numbers: Tensor): Tensor =>
      reshape(tileRows(numbers, { together: 1, width: 1, steps, repeat }), [numbers.shape[0]!, steps])
    return {
      ...extents,
      codes: tileRows(inBytes, { together: tileRowsTogether, width: chunkBytes, steps: chunks }),
      grid: tileRows(grid, { together: tileRowsTogether, width: 1, steps, repeat }),
      ...("scale" in scales
        ? { origin: tileRows(scales.scale, { ...flat(flatShape(layout)), repeat }) }
        : { origin: shared(scales.origin), step: shared(scales.step) })
    }
  })

/** The bit stream of the codes of a weight with so many columns: u8 [N K bits / 8]. */
export const streamOfCodes = ({ codes, ...extents }: CodedWeight, columns: number): Tensor =>
  scope(() => {
    const bytes = rowBytes(extents, columns)
    return reshape(untileRows(codes, extents.rows, bytes), [extents.rows * bytes])
  })
