/** Types of single numbers. */
import { decodeFloats, encodeFloats } from "@speedq/formats"
import type { RoundingType } from "./BlockType.ts"

const floats = (name: "F32" | "F16" | "BF16", id: number, fileType: number, bytes: number): RoundingType => ({
  name,
  id,
  fileType,
  weights: 1,
  bytes,
  encode: (weights) => encodeFloats(name, weights),
  decode: (blocks) => decodeFloats(name, blocks)
})

export const F32 = floats("F32", 0, 0, 4)
export const F16 = floats("F16", 1, 1, 2)
export const BF16 = floats("BF16", 30, 32, 2)
