/**
 * A packed weight as MatMulNBits multiplies by it: codes in groups of g input columns, a zero point and a scale a group, so that a code c
 * stands for scale (c - zero), to the last bit. Its codes are written as the packed form has them; only zero points are put in the order
 * and rows that the operator wants.
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
  uniformQuantizer,
  unpackBits
} from "@speedq/quantizers"
import { storedBytes, storedParts } from "../../packed/storedBytes.ts"

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

const scalesOf = ({ choice: { quantizer, config }, ...weight }: PackedWeight): Scales | undefined => {
  if (quantizer.id === bilevelQuantizer.id) {
    const { scaleGroup, secondLevel } = config as BilevelConfig
    return { type: "bilevel", scaleGroup, secondLevel }
  }
  if (!oneLevel.some(({ id }) => id === quantizer.id)) return undefined
  const { dtype } = quantizer.stored(config, weight.shape).find(({ name }) => name === "scale")!
  return { type: "stored", dtype: dtype as "f16" | "f32" }
}

/** Zero points of `bits` bits, in rows that begin with a byte. `transposed`: stored as [groups, rows]. */
const zeroRows = (stored: Uint8Array, { rows, count, bits, inFile, transposed }: ZeroLayout): Uint8Array => {
  const numbers = unpackBits(stored, bits, rows * count)
  const rowBytes = packedBytes(count, inFile)
  const packed = new Uint8Array(rows * rowBytes)
  const row = new Uint8Array(count)
  for (let o = 0; o < rows; o++) {
    for (let j = 0; j < count; j++) row[j] = numbers[transposed ? j * rows + o : o * count + j]!
    packed.set(packBits(row, inFile), o * rowBytes)
  }
  return packed
}

interface ZeroLayout {
  readonly rows: number
  /** Groups of a row. */
  readonly count: number
  readonly bits: number
  readonly inFile: CodeBits
  readonly transposed: boolean
}

/** The weight in this form; undefined where its quantizer, its options or its groups do not fit. */
export const codedWeight = (weight: PackedWeight): CodedWeight | undefined => {
  const { quantizer, config } = weight.choice
  const [rows, columns] = weight.shape as readonly [number, number]
  const extents = quantizer.affine?.extents(config)
  const scales = scalesOf(weight)
  if (extents === undefined || scales === undefined || !groups.includes(extents.group)) return undefined
  const { bits, group } = extents
  const inFile = bitsInFile[bits]
  if (inFile === undefined) return undefined
  const count = columns / group
  const hasZeros = storedParts(weight).some(({ name }) => name === "zeros")
  const layout = { rows, count, bits, inFile, transposed: scales.type === "bilevel" }
  return {
    rows,
    columns,
    group,
    bits: inFile,
    scales,
    // A group begins with a byte, so that the stream of all codes is one of rows.
    codes: async () => {
      const stored = await storedBytes(weight, "codes")
      return bits === inFile ? stored : packBits(unpackBits(stored, bits, rows * columns), inFile)
    },
    commonZero: hasZeros ? undefined : 2 ** (bits - 1) - 1,
    zeros: async () => zeroRows(await storedBytes(weight, "zeros"), layout),
    stored: (part) => storedBytes(weight, part)
  }
}
