/** Types of ggml: what the package gguf makes of the same blocks, and which codes they hold exactly. */
import { f16ToF32, f32ToF16, Random } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import type { BlockType, CodeType, GroupedCodes } from "../src/gguf/blocks/BlockType.ts"
import { BF16, F16, F32 } from "../src/gguf/blocks/floats.ts"
import { Q2_0 } from "../src/gguf/blocks/Q2_0.ts"
import { Q3_K } from "../src/gguf/blocks/Q3_K.ts"
import { Q4_0 } from "../src/gguf/blocks/Q4_0.ts"
import { Q4_1 } from "../src/gguf/blocks/Q4_1.ts"
import { Q8_0 } from "../src/gguf/blocks/Q8_0.ts"
import fixture from "./fixtures/gguf-0.19.json" with { type: "json" }

const bytesOf = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "base64"))
const numbersOf = (text: string): Float32Array => new Float32Array(bytesOf(text).buffer)

const random = Random.make(3, "gguf")
const halves = (count: number): Float32Array =>
  f16ToF32(f32ToF16(Float32Array.from({ length: count }, () => 0.001 + 0.1 * random.nextUniform())))

/** Random codes of `bits` bits with scales in half precision; each group has the zero point that `zeroOf` gives. */
const grouped = (bits: number, group: number, groups: number, zeroOf: () => number): GroupedCodes => ({
  codes: Uint8Array.from({ length: group * groups }, () => Math.floor(2 ** bits * random.nextUniform())),
  group,
  scale: halves(groups),
  zero: Float32Array.from({ length: groups }, zeroOf)
})

/** scale (c - zero), each operation in f32. */
const weightsOf = ({ codes, group, scale, zero }: GroupedCodes): Float32Array =>
  Float32Array.from(codes, (code, at) => scale[Math.floor(at / group)]! * (code - zero[Math.floor(at / group)]!))

const largestError = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, at) => Math.max(most, Math.abs(value - b[at]!)), 0)

const assertExact = (type: CodeType, codes: GroupedCodes): void => {
  const blocks = type.encodeCodes(codes)
  assert.strictEqual(blocks.length, (codes.codes.length / type.weights) * type.bytes)
  // Zeros of both signs are the same weight.
  assert.strictEqual(largestError(type.decode(blocks), weightsOf(codes)), 0)
}

describe("blocks", () => {
  it.each([Q8_0, Q4_0, Q4_1, Q3_K] as readonly BlockType[])(
    "of $name stand for the weights that the package gguf says",
    (type) => {
      const { bytes, weights } = fixture[type.name as "Q8_0" | "Q4_0" | "Q4_1" | "Q3_K"]
      assert.strictEqual(bytesOf(bytes).length % type.bytes, 0)
      assert.deepStrictEqual(type.decode(bytesOf(bytes)), numbersOf(weights))
    }
  )

  it("of Q8_0 are the bytes that the package gguf rounds to", () => {
    const { source, bytes } = fixture.Q8_0
    assert.deepStrictEqual(Q8_0.encode(numbersOf(source)), bytesOf(bytes))
  })

  it("of Q2_0 have a scale, then four codes a byte, low bits first", () => {
    const codes = Uint8Array.from({ length: 64 }, (_, at) => (at < 4 ? at : 1))
    const block = Q2_0.encodeCodes({ codes, group: 64, scale: Float32Array.of(0.5), zero: Float32Array.of(1) })
    assert.deepStrictEqual([...block], [0x00, 0x38, 0b11100100, ...new Array(15).fill(0b01010101)])
    assert.deepStrictEqual([...Q2_0.decode(block).subarray(0, 5)], [-0.5, 0, 0.5, 1, 0])
  })

  it("of single numbers are those of their format", () => {
    const numbers = Float32Array.of(1, -2.5, 0.1)
    assert.deepStrictEqual(F32.decode(F32.encode(numbers)), numbers)
    assert.deepStrictEqual([...F16.encode(numbers)], [0x00, 0x3c, 0x00, 0xc1, 0x66, 0x2e])
    assert.deepStrictEqual([...BF16.encode(numbers)], [0x80, 0x3f, 0x20, 0xc0, 0xcd, 0x3d])
  })
})

describe("codes", () => {
  it("that are symmetric are exact in Q4_0, in groups of 32 and more", () => {
    for (const [bits, group] of [
      [4, 32],
      [4, 96],
      [3, 32],
      [2, 32]
    ] as const) {
      assertExact(
        Q4_0,
        grouped(bits, group, 8, () => 2 ** (bits - 1) - 1)
      )
    }
  })

  it("of 2 bits that are symmetric are exact in Q2_0, in groups of 64 and more", () => {
    for (const group of [64, 128])
      assertExact(
        Q2_0,
        grouped(2, group, 6, () => 1)
      )
  })

  it("are kept by Q4_1, with scale and minimum in half precision", () => {
    const codes = grouped(4, 64, 20, () => Math.floor(16 * random.nextUniform()))
    const weights = weightsOf(codes)
    const decoded = Q4_1.decode(Q4_1.encodeCodes(codes))
    const error = largestError(decoded, weights)
    assert.isAbove(error, 0)
    // Half of the last of 11 bits of the minimum, which is at most 15 scales.
    assert.isAtMost(error, 15 * Math.max(...codes.scale) * 2 ** -11)
  })

  it("of 2 bits are kept by Q3_K, whose scales are exact where they are small multiples of one", () => {
    const codes = grouped(2, 16, 64, () => Math.floor(4 * random.nextUniform()))
    // 31 of the largest, so that this is what the fit tries first.
    const scale = Float32Array.from(
      codes.scale,
      (_, at) => (at % 16 === 0 ? 31 : Math.ceil(31 * random.nextUniform())) / 256
    )
    assertExact(Q3_K, { ...codes, scale })
  })

  it("of 2 bits in Q3_K have the nearest scales of 6 bits", () => {
    const codes = grouped(2, 32, 64, () => Math.floor(4 * random.nextUniform()))
    const [weights, decoded] = [weightsOf(codes), Q3_K.decode(Q3_K.encodeCodes(codes))]
    const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0))
    const relative = norm(weights.map((value, at) => decoded[at]! - value)) / norm(weights)
    assert.isBelow(relative, 0.015)
    for (const [at, weight] of weights.entries()) {
      // The step of a code stays: 0 is 0, and no weight changes its sign.
      if (decoded[at] !== 0) assert.strictEqual(Math.sign(decoded[at]!), Math.sign(weight))
      if (weight === 0) assert.strictEqual(Math.abs(decoded[at]!), 0)
    }
  })

  it("of zeros alone are zeros", () => {
    const codes = { codes: new Uint8Array(256), group: 16, scale: new Float32Array(16), zero: new Float32Array(16) }
    for (const type of [Q3_K, Q4_0, Q4_1])
      assert.isTrue(type.decode(type.encodeCodes({ ...codes, group: 32 })).every((w) => w === 0))
  })
})
