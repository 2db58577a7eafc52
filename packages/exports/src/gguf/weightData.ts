/** Bytes of a quantized weight in a type of ggml, in pieces, and how far the weights that they stand for are. */
import type { PackedWeight } from "@speedq/quantizers"
import { noGrad } from "@speedq/tensors"
import { type Difference, differenceInParts } from "../exporter/Difference.ts"
import { readCodes, readGrid, readOnce } from "../model/affineNumbers.ts"
import type { CodeType, GroupedCodes } from "./blocks/BlockType.ts"
import type { Choice } from "./chooseType.ts"

/** Weights that are written at a time. */
const pieceWeights = 2 ** 20

interface Rows {
  readonly from: number
  readonly to: number
}

/** What codes stand for: scale (c - zero), each operation in f32. */
const decoded = ({ codes, group, scale, zero }: GroupedCodes): Float32Array => {
  const weights = new Float32Array(codes.length)
  for (let own = 0; own < scale.length; own++) {
    for (let i = own * group; i < (own + 1) * group; i++) weights[i] = scale[own]! * Math.fround(codes[i]! - zero[own]!)
  }
  return weights
}

/** Gives `read` the codes and the grid of some rows. */
const openCodes = async ({ affine, shape }: PackedWeight) => {
  const { group } = affine!
  const whole = { codes: await readCodes(affine!), ...(await readGrid(affine!)) }
  const columns = shape[1]!
  const groups = columns / group
  return ({ from, to }: Rows): GroupedCodes => ({
    codes: whole.codes.subarray(from * columns, to * columns),
    group,
    scale: whole.scale.subarray(from * groups, to * groups),
    zero: whole.zero.subarray(from * groups, to * groups)
  })
}

/** Numbers of rows before and after: what the weight is, and what is written. */
interface Encoded {
  readonly weights: Float32Array
  readonly bytes: Uint8Array
}

const encodeCodes = async (weight: PackedWeight, type: CodeType): Promise<(rows: Rows) => Encoded> => {
  const read = await openCodes(weight)
  return (rows) => {
    const codes = read(rows)
    return { weights: decoded(codes), bytes: type.encodeCodes(codes) }
  }
}

const encoder = async (weight: PackedWeight, choice: Choice): Promise<(rows: Rows) => Encoded> => {
  if (choice.keeps === "codes") return encodeCodes(weight, choice.type)
  const columns = weight.shape[1]!
  const numbers = await readOnce<Float32Array>(noGrad(weight.unpack))
  return ({ from, to }) => {
    const weights = numbers.subarray(from * columns, to * columns)
    return { weights, bytes: choice.type.encode(weights) }
  }
}

/** Rows of the weight in pieces; `done` is told the difference when all of them were taken. */
export const weightData = async (
  weight: PackedWeight,
  choice: Choice,
  rows: Rows,
  done: (difference: Difference) => void
): Promise<Iterable<Uint8Array>> => {
  const encode = await encoder(weight, choice)
  const step = Math.max(1, Math.floor(pieceWeights / weight.shape[1]!))
  return (function* () {
    const difference = differenceInParts()
    for (let from = rows.from; from < rows.to; from += step) {
      const { weights, bytes } = encode({ from, to: Math.min(rows.to, from + step) })
      difference.add(weights, choice.type.decode(bytes))
      yield bytes
    }
    done(difference.total())
  })()
}
