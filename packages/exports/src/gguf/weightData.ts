/** Bytes of a quantized weight in a type of ggml, in pieces, and how far the weights that they stand for are. */
import type { PackedWeight } from "@speedq/quantizers"
import { type Difference, differenceInParts } from "../exporter/Difference.ts"
import { readCodes, readGrid, readOnce } from "../model/affineNumbers.ts"
import { numberRows, type Rows, rowPieces } from "../model/numberRows.ts"
import type { CodeType, GroupedCodes, RoundingType } from "./blocks/BlockType.ts"
import type { Choice } from "./chooseType.ts"

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

async function* encodedCodes(weight: PackedWeight, type: CodeType, rows: Rows): AsyncGenerator<Encoded> {
  const read = await openCodes(weight)
  for (const piece of rowPieces(rows, weight.shape[1]!)) {
    const codes = read(piece)
    yield { weights: decoded(codes), bytes: type.encodeCodes(codes) }
  }
}

async function* encodedNumbers(weight: PackedWeight, type: RoundingType, rows: Rows): AsyncGenerator<Encoded> {
  for await (const numbers of numberRows(weight, rows)) {
    const weights = await readOnce<Float32Array>(numbers)
    yield { weights, bytes: type.encode(weights) }
  }
}

/** Rows of the weight in pieces; `done` is told the difference when all of them were taken. */
export async function* weightData(
  weight: PackedWeight,
  choice: Choice,
  rows: Rows,
  done: (difference: Difference) => void
): AsyncGenerator<Uint8Array> {
  const difference = differenceInParts()
  const encoded =
    choice.keeps === "codes" ? encodedCodes(weight, choice.type, rows) : encodedNumbers(weight, choice.type, rows)
  for await (const { weights, bytes } of encoded) {
    difference.add(weights, choice.type.decode(bytes))
    yield bytes
  }
  done(difference.total())
}
