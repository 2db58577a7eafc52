/** Codes as a bit stream. */
import { tensor, unpackCodes } from "@speedq/tensors"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { packBits, packedBytes, unpackBits } from "../src/index.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

const widths = [1, 2, 3, 4, 5, 6, 7, 8]
const codesOf = (bits: number, maxLength = 70) =>
  fc.uint8Array({ max: 2 ** bits - 1, maxLength }).map((codes) => Uint8Array.from(codes))

describe.each(widths)("codes of %i bits", (bits) => {
  it("come back, however many there are", () => {
    fc.assert(
      fc.property(codesOf(bits), (codes) => {
        const packed = packBits(codes, bits)
        assert.strictEqual(packed.length, packedBytes(codes.length, bits))
        assert.deepEqual(unpackBits(packed, bits, codes.length), codes)
      }),
      { seed: 23 }
    )
  })

  it("lie in the stream lowest bit first", () => {
    fc.assert(
      fc.property(codesOf(bits, 6), (codes) => {
        const stream = Array.from(packBits(codes, bits)).reduce(
          (sum, byte, i) => sum + BigInt(byte) * 256n ** BigInt(i),
          0n
        )
        const expected = Array.from(codes).reduce((sum, code, i) => sum + BigInt(code) * 2n ** BigInt(i * bits), 0n)
        assert.strictEqual(stream, expected)
      }),
      { seed: 29 }
    )
  })

  it("are refused when they do not fit", () => {
    if (bits === 8) return
    assert.throws(() => packBits(Uint8Array.of(0, 2 ** bits), bits), `code ${2 ** bits} does not fit ${bits} bits`)
  })
})

describe("bit packing", () => {
  it.each([0, 9, 2.5, Number.NaN])("refuses codes of %d bits", (bits) => {
    assert.throws(() => packBits(Uint8Array.of(1), bits), RangeError)
    assert.throws(() => unpackBits(Uint8Array.of(1), bits, 1), RangeError)
  })

  it("refuses a stream that is too short", () => {
    assert.throws(() => unpackBits(Uint8Array.of(1), 3, 3), "3 codes of 3 bits are 2 bytes, not 1")
  })
})

onEveryBackend("unpacking on a backend", (backend) => {
  it.each(widths)("is unpackBits, at %i bits", async (bits) => {
    await fc.assert(
      fc.asyncProperty(codesOf(bits), async (codes) => {
        const packed = packBits(codes, bits)
        const onBackend = unpackCodes(tensor(backend, packed, [packed.length], "u8"), bits, [codes.length])
        assert.deepEqual(await onBackend.read(), codes)
      }),
      { seed: 31, numRuns: 30 }
    )
  })
})
