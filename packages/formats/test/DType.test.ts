import { assert, describe, it } from "vitest"
import { bytesOf, dtypes, elementBytes, isDType, tensorBytes, typedView } from "../src/numbers/DType.ts"
import { decodeFloats, encodeFloats, isFloatDType } from "../src/numbers/floats.ts"
import { counting } from "./rawFile.ts"

describe("typedView", () => {
  it("shares aligned memory and copies misaligned memory, with the same elements", () => {
    for (const dtype of dtypes) {
      const size = elementBytes(dtype)
      const source = counting(4 * size)
      for (const start of [0, 1, 8]) {
        for (const buffer of [new ArrayBuffer(64), new SharedArrayBuffer(64)]) {
          const bytes = new Uint8Array(buffer, start, source.length)
          bytes.set(source)
          const view = typedView(dtype, bytes)
          assert.strictEqual(view.length, 4)
          assert.strictEqual(view.buffer === buffer, start % size === 0, `${dtype} at ${start}`)
          assert.deepEqual([...bytesOf(view)], [...source])
        }
      }
    }
  })

  it("reads little-endian values", () => {
    assert.deepEqual([...typedView("I16", Uint8Array.of(0x34, 0x12, 0xff, 0xff))], [0x1234, -1])
    assert.deepEqual([...typedView("F32", Uint8Array.of(0, 0, 0xc0, 0x3f))], [1.5])
    assert.deepEqual([...typedView("I64", Uint8Array.of(2, 0, 0, 0, 1, 0, 0, 0))], [4294967298n])
  })

  it("refuses a part of an element", () => {
    assert.throws(() => typedView("F32", new Uint8Array(6)), RangeError, "6 bytes are not a whole number of F32")
  })
})

describe("tensorBytes", () => {
  it("multiplies, with scalars and empty tensors", () => {
    assert.strictEqual(tensorBytes("BF16", [3, 5]), 30)
    assert.strictEqual(tensorBytes("F64", []), 8)
    assert.strictEqual(tensorBytes("I64", [4, 0, 7]), 0)
  })

  it("is undefined past 2^53 - 1, where a product would be wrong", () => {
    assert.strictEqual(tensorBytes("U8", [2 ** 26, 2 ** 26]), 2 ** 52)
    assert.isUndefined(tensorBytes("U8", [2 ** 27, 2 ** 26]))
    assert.isUndefined(tensorBytes("F64", [2 ** 50]))
    assert.isUndefined(tensorBytes("U8", [2 ** 32, 2 ** 32, 2 ** 32]))
  })
})

describe("isDType", () => {
  it("knows the format's names and nothing that objects inherit", () => {
    assert.isTrue(dtypes.every(isDType))
    for (const name of ["f32", "F8_E4M3", "", "toString", "__proto__", "constructor"]) assert.isFalse(isDType(name))
  })
})

describe("decodeFloats and encodeFloats", () => {
  it("give float32 values back from every precision that holds them", () => {
    const values = Float32Array.of(0, -0, 1, -2.5, 0.15625, Number.POSITIVE_INFINITY)
    for (const dtype of dtypes.filter(isFloatDType)) {
      const bytes = encodeFloats(dtype, values)
      assert.strictEqual(bytes.byteLength, values.length * elementBytes(dtype))
      assert.deepEqual(decodeFloats(dtype, bytes), values)
    }
  })
})
