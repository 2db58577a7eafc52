/**
 * The record of one tile's features on disk. Little-endian:
 *
 *     "SQFEAT01" | tower [32] | tile [32] | dtype u32 (0 f32, 1 bf16) | count u32 | numbers [count] | SHA-256 of all before [32]
 *
 * A record says what it is of, so that one under another name is none. What is torn, damaged or of something else reads as undefined.
 */
import { createHash } from "node:crypto"
import { decodeFloats, encodeFloats } from "@speedq/formats"

/** How features are kept: as they are, or rounded to the nearest bf16, ties to even. */
export type FeatureNumbers = "f32" | "bf16"

/** What features are of: a tower by its digest (towerDigest.ts), and a tile by that of its pixels; 64 hexadecimal digits each. */
export interface FeatureKey {
  readonly tower: string
  readonly tile: string
}

const magic = Buffer.from("SQFEAT01")
const headBytes = magic.length + 32 + 32 + 4 + 4
const digestBytes = 32
const formats = { f32: { code: 0, dtype: "F32", bytes: 4 }, bf16: { code: 1, dtype: "BF16", bytes: 2 } } as const

/** Bytes of a record of so many numbers. */
export const recordBytes = (numbers: FeatureNumbers, count: number): number =>
  headBytes + formats[numbers].bytes * count + digestBytes

const headOf = ({ tower, tile }: FeatureKey, numbers: FeatureNumbers, count: number): Buffer => {
  const sizes = Buffer.alloc(8)
  sizes.writeUInt32LE(formats[numbers].code, 0)
  sizes.writeUInt32LE(count, 4)
  return Buffer.concat([magic, Buffer.from(tower, "hex"), Buffer.from(tile, "hex"), sizes])
}

const sha256 = (bytes: Uint8Array): Buffer => createHash("sha256").update(bytes).digest()

/** f32 [n] -> a record. */
export const encodeRecord = (key: FeatureKey, numbers: FeatureNumbers, values: Float32Array): Uint8Array => {
  const content = Buffer.concat([headOf(key, numbers, values.length), encodeFloats(formats[numbers].dtype, values)])
  return Buffer.concat([content, sha256(content)])
}

/** The `count` numbers of a record, f32 [n]; undefined unless it is whole and of this tower and tile. */
export const decodeRecord = (
  key: FeatureKey,
  numbers: FeatureNumbers,
  count: number,
  record: Uint8Array
): Float32Array | undefined => {
  if (record.length !== recordBytes(numbers, count)) return undefined
  const content = record.subarray(0, -digestBytes)
  if (!sha256(content).equals(record.subarray(-digestBytes))) return undefined
  if (!headOf(key, numbers, count).equals(content.subarray(0, headBytes))) return undefined
  return decodeFloats(formats[numbers].dtype, content.subarray(headBytes))
}

/** f32 [n] as a record gives it back. */
export const asKept = (numbers: FeatureNumbers, values: Float32Array): Float32Array =>
  numbers === "f32" ? values : decodeFloats("BF16", encodeFloats("BF16", values))
