/** What making the model that is shipped takes: weights rounded and packed, and all of them unpacked where numbers are wanted. */
import { encodeChoice } from "@speedq/quantizers"
import type { Piece } from "../measuring/speeds.ts"
import { type ChosenMatrix, packingPiece, unpackingPiece, weightsOf } from "../measuring/weightPieces.ts"

/** Matrices of one quantizer together. */
const byQuantizer = (matrices: readonly ChosenMatrix[]): readonly (readonly ChosenMatrix[])[] => {
  const groups = new Map<string, ChosenMatrix[]>()
  for (const matrix of matrices) {
    const name = JSON.stringify(encodeChoice(matrix.choice))
    groups.set(name, [...(groups.get(name) ?? []), matrix])
  }
  return [...groups.values()]
}

interface Deployment {
  readonly matrices: readonly ChosenMatrix[]
  /** Whether they are unpacked, too. */
  readonly unpacks: boolean
  /** Layers that come packed from an earlier stage. */
  readonly isPacked: (layer: string) => boolean
}

/** Pieces to be timed, by names of their own, and the seconds that they say. */
export const deploymentPieces = ({ matrices, unpacks, isPacked }: Deployment) => {
  const groups = byQuantizer(matrices)
  const pieces: { readonly [name: string]: Piece } = Object.fromEntries(
    groups.flatMap((group, at) => [
      [`packing ${at}`, packingPiece(group)] as const,
      ...(unpacks ? [[`unpacking ${at}`, unpackingPiece(group)] as const] : [])
    ])
  )
  const secondsBy = (seconds: { readonly [name: string]: number }): number =>
    groups.reduce((sum, group, at) => {
      const packed = weightsOf(group.filter(({ layer }) => !isPacked(layer)))
      return sum + packed * seconds[`packing ${at}`]! + weightsOf(group) * (seconds[`unpacking ${at}`] ?? 0)
    }, 0)
  return { pieces, secondsBy }
}
