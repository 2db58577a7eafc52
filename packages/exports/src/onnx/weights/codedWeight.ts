/**
 * A packed weight as MatMulNBits multiplies by it: codes in groups of g input columns, a zero point and a scale a group, so that a code c
 * stands for scale (c - zero), to the last bit. The file has scales as the packed form has them; the graph computes with them in f32.
 */
import {
  type BilevelConfig,
  bilevelQuantizer,
  embeddingSym4Quantizer,
  int2AsymQuantizer,
  int3AsymQuantizer,
  type PackedWeight,
  packBits,
  packedBytes,
  type Quantizer,
  uniformQuantizer
} from "@speedq/quantizers"
import { readCodes, readGrid } from "../../model/affineNumbers.ts"
import { storedBytes } from "../../packed/storedBytes.ts"

/** Bits of a code in the file: those of 3 bits take 4, for the operator knows no 3. */
type CodeBits = 2 | 4 | 8

export interface CodedWeight {
  readonly rows: number
  readonly columns: number
  readonly group: number
  readonly bits: CodeBits
  /** [rows, columns bits / 8] */
  readonly codes: () => Promise<Uint8Array>
  /** [rows, ceil(columns / group bits / 8)]: each row filled to whole bytes. */
  readonly zeros: () => Promise<Uint8Array>
  /** One number for all groups, where the quantizer stores no zero points. */
  readonly commonZero: number | undefined
  readonly scales: Scales
  /** A stored tensor of the scales, as the packed form has it. */
  readonly stored: (part: string) => Promise<Uint8Array>
}

/** Where the scales [rows, columns / group] come from. */
type Scales = { readonly type: "stored"; readonly dtype: "f16" | "f32" } | ({ readonly type: "bilevel" } & SecondLevel)

/** Scale codes of 4 bits in order [columns / group, rows]; `scaleGroup` of them share a step and an origin. */
export type SecondLevel = Pick<BilevelConfig, "scaleGroup" | "secondLevel">

/** Quantizers that store a scale a group in `scale` [rows, groups], and zero points, if any, in `zeros`. */
const oneLevel: readonly Pick<Quantizer, "id">[] = [
  uniformQuantizer,
  embeddingSym4Quantizer,
  int2AsymQuantizer,
  int3AsymQuantizer
]

/** What kernels of onnxruntime take. */
const groups: readonly number[] = [16, 32, 64, 128]
const bitsInFile: { readonly [bits: number]: CodeBits } = { 2: 2, 3: 4, 4: 4, 8: 8 }

type Kind = Pick<PackedWeight, "choice" | "shape">

const scalesOf = ({ choice: { quantizer, config }, shape }: Kind): Scales | undefined => {
  if (quantizer.id === bilevelQuantizer.id) {
    const { scaleGroup, secondLevel } = config as BilevelConfig
    return { type: "bilevel", scaleGroup, secondLevel }
  }
  if (!oneLevel.some(({ id }) => id === quantizer.id)) return undefined
  const { dtype } = quantizer.stored(config, shape).find(({ name }) => name === "scale")!
  return { type: "stored", dtype: dtype as "f16" | "f32" }
}

/** Numbers [rows, n] of `bits` bits, each row filled to whole bytes. */
const packedRows = (numbers: Uint8Array, rows: number, bits: CodeBits): Uint8Array => {
  const length = numbers.length / rows
  const rowBytes = packedBytes(length, bits)
  const packed = new Uint8Array(rows * rowBytes)
  for (let row = 0; row < rows; row++) {
    packed.set(packBits(numbers.subarray(row * length, (row + 1) * length), bits), row * rowBytes)
  }
  return packed
}

/** Whether a weight has this form: its quantizer, its options and its groups fit. */
export const isCoded = (weight: Kind): boolean => {
  const { quantizer, config } = weight.choice
  const extents = quantizer.affine?.extents(config)
  return (
    extents !== undefined &&
    groups.includes(extents.group) &&
    bitsInFile[extents.bits] !== undefined &&
    scalesOf(weight) !== undefined
  )
}

/** The weight in this form; undefined where it has it not. */
export const codedWeight = (weight: PackedWeight): CodedWeight | undefined => {
  if (!isCoded(weight)) return undefined
  const affine = weight.affine!
  const scales = scalesOf(weight)!
  const [rows, columns] = weight.shape as readonly [number, number]
  const bits = bitsInFile[affine.bits]!
  return {
    rows,
    columns,
    group: affine.group,
    bits,
    commonZero: affine.commonZero,
    scales,
    codes: async () => packedRows(await readCodes(affine), rows, bits),
    zeros: async () => packedRows(Uint8Array.from((await readGrid(affine)).zero), rows, bits),
    stored: (part) => storedBytes(weight, part)
  }
}
