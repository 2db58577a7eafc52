/** fakeQuantize, dequantize(quantize) and the packed form are one function, for every quantizer and any weight. */
import {
  fewRowsOfCodes,
  gridDecode,
  linear,
  prefersCodes,
  Random,
  type Shape,
  scope,
  sizeOf,
  sum,
  type Tensor,
  tensor,
  valueAndGrad
} from "@speedq/tensors"
import * as Effect from "effect/Effect"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { type PackedWeight, packWeight, type QuantizedWeight, storedBytes } from "../src/index.ts"
import { arbitraryWeight, type Candidate, candidates, otherGroups } from "./support/arbitraryWeight.ts"
import { bitsOf, numbersOf } from "./support/numbers.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

/** The bytes of its entries in a file. */
const storedIn = async (packed: PackedWeight): Promise<readonly number[][]> => {
  const parts: number[][] = []
  // What is read may be the memory of the tensor itself.
  for (const { data } of packed.entries("w")) parts.push([...((await Effect.runPromise(data)) as Uint8Array)])
  return parts
}

const releaseAll = (tensors: QuantizedWeight): void => {
  for (const part of Object.values(tensors)) part.release()
}

onEveryBackend("every quantizer", (backend) => {
  const forWeights = (candidate: Candidate, law: (weight: Tensor) => Promise<void>) =>
    fc.assert(
      fc.asyncProperty(arbitraryWeight(candidate), async ({ rows, columns, values }) => {
        const weight = tensor(backend, values, [rows, columns])
        await law(weight)
        weight.release()
      }),
      { seed: 7, numRuns: 40 }
    )

  describe.each([...candidates, ...otherGroups])("$name", (candidate) => {
    const { choice } = candidate
    const { quantizer, config } = choice

    it("gives the same bits on each way", () =>
      forWeights(candidate, async (weight) => {
        const fake = bitsOf(await numbersOf(() => quantizer.fakeQuantize(config, weight)))
        const quantized = quantizer.quantize(config, weight)
        const decoded = await numbersOf(() => quantizer.dequantize(config, quantized, weight.shape))
        const packed = await packWeight("w", choice, weight.shape, quantized)
        assert.deepEqual(bitsOf(decoded), fake)
        assert.deepEqual(bitsOf(await numbersOf(packed.unpack)), fake)
        packed.release()
        releaseAll(quantized)
      }))

    it("unpacks rows alone to the same bits, where it is rowwise", () =>
      forWeights(candidate, async (weight) => {
        const [rows, columns] = weight.shape as readonly [number, number]
        const quantized = quantizer.quantize(config, weight)
        const packed = await packWeight("w", choice, weight.shape, quantized)
        const whole = bitsOf(await numbersOf(packed.unpack))
        const chosen = [rows - 1, 0, rows - 1, Math.floor(rows / 2)]
        const index = tensor(backend, chosen, [chosen.length], "i32")
        const unpackRows = packed.unpackRows
        assert.strictEqual(unpackRows !== undefined, quantizer.id !== "bilevel")
        if (unpackRows !== undefined) {
          const expected = chosen.flatMap((row) => [...whole.slice(row * columns, (row + 1) * columns)])
          assert.deepEqual([...bitsOf(await numbersOf(() => unpackRows(index)))], expected)
          assert.isTrue(quantizer.stored(config, weight.shape).every(({ shape }) => shape[0] === rows))
        }
        index.release()
        packed.release()
        releaseAll(quantized)
      }))

    it("multiplies few rows by its codes, where they are affine, as by the unpacked weight", () =>
      forWeights(candidate, async (weight) => {
        const [rows, columns] = weight.shape as readonly [number, number]
        const quantized = quantizer.quantize(config, weight)
        const packed = await packWeight("w", choice, weight.shape, quantized)
        const before = await storedIn(packed)
        if (rows % 2 === 0) packed.prepare()
        const few = 1 + (rows % fewRowsOfCodes)
        const random = Random.make(rows)
        const normals = (shape: Shape) => Float32Array.from({ length: sizeOf(shape) }, () => random.nextNormal())
        const [numbers, offsets] = [normals([few, columns]), normals([rows])]
        const x = tensor(backend, numbers, [1, few, columns])
        const more = tensor(backend, normals([fewRowsOfCodes + 1, columns]), [fewRowsOfCodes + 1, columns])
        const bias = tensor(backend, offsets, [rows])
        const unpacked = await numbersOf(packed.unpack)
        for (const activations of ["f32", "int8"] as const) {
          const y = packed.linear(x, bias, activations)
          assert.strictEqual(y !== undefined, candidate.affine)
          if (y === undefined) continue
          const product = await numbersOf(() => y)
          for (const [at, value] of product.entries()) {
            const [row, output] = [Math.floor(at / rows), at % rows]
            const factors = Array.from({ length: columns }, (_, i) => [
              numbers[row * columns + i]!,
              unpacked[output * columns + i]!
            ])
            const expected = factors.reduce((sum, [a, w]) => sum + a! * w!, offsets[output]!)
            const [mostX, mostW] = [0, 1].map((which) => Math.max(...factors.map((pair) => Math.abs(pair[which]!))))
            // A code may be as far from its zero point as the grid is wide, whatever the weight is: sums of both are rounded.
            const span = 2 ** quantizer.affine!.extents(config)!.bits
            const largest = mostX! * mostW! * columns * span
            // Sums beyond the range of f32 say nothing.
            if (largest > 1e38) continue
            const allowed = (activations === "int8" ? 0.5 / 127 : 2e-6) * largest + 1e-6
            assert.isAtMost(Math.abs(value - expected), allowed, `${activations} at ${row}, ${output}`)
          }
        }
        // Of many rows it is the product with the unpacked weight to the bit, on backends that decode within a product.
        const many = packed.linear(more, bias, "int8")
        assert.strictEqual(many !== undefined, candidate.affine && prefersCodes(backend, fewRowsOfCodes + 1))
        if (many !== undefined) {
          const expected = await numbersOf(() => linear(more, packed.unpack(), bias))
          assert.deepEqual(bitsOf(await numbersOf(() => many)), bitsOf(expected))
        }
        // A gradient passes the unpacked weight.
        const { value, gradients } = valueAndGrad(({ tracked }: { readonly tracked: Tensor }) => {
          assert.isUndefined(packed.linear(tracked, bias))
          return { loss: sum(tracked), auxiliary: undefined }
        })({ tracked: more })
        for (const each of [value, gradients.tracked]) each.release()
        // What was laid out for products is the same weight.
        assert.deepEqual(bitsOf(await numbersOf(packed.unpack)), bitsOf(unpacked))
        assert.deepEqual(await storedIn(packed), before)
        const { unpackRows } = packed
        if (unpackRows !== undefined) {
          const last = tensor(backend, [rows - 1], [1], "i32")
          const row = bitsOf(await numbersOf(() => unpackRows(last)))
          assert.deepEqual([...row], [...bitsOf(unpacked).slice(-columns)])
          last.release()
        }
        for (const each of [x, more, bias]) each.release()
        packed.release()
        releaseAll(quantized)
      }))

    it("has codes and a grid that stand for the unpacked weight to the bit, where they are affine", () =>
      forWeights(candidate, async (weight) => {
        const quantized = quantizer.quantize(config, weight)
        const packed = await packWeight("w", choice, weight.shape, quantized)
        assert.strictEqual(packed.affine !== undefined, quantizer.affine?.extents(config) !== undefined)
        if (packed.affine !== undefined) {
          const { codes, grid, bits, commonZero } = packed.affine
          const { scale, zero } = grid()
          if (commonZero !== undefined) assert.isTrue((await zero.read()).every((each) => each === commonZero))
          const decoded = await numbersOf(() => scope(() => gridDecode(codes(), scale, zero, bits)))
          assert.deepEqual(bitsOf(decoded), bitsOf(await numbersOf(() => packed.unpack())))
          for (const each of [scale, zero]) each.release()
        }
        packed.release()
        releaseAll(quantized)
      }))

    it("gives numbers, stored in the shapes, types and ranges that it declares", () =>
      forWeights(candidate, async (weight) => {
        assert.isTrue((await numbersOf(() => quantizer.fakeQuantize(config, weight))).every(Number.isFinite))
        const quantized = quantizer.quantize(config, weight)
        const stored = quantizer.stored(config, weight.shape)
        assert.sameMembers(
          Object.keys(quantized),
          stored.map(({ name }) => name)
        )
        for (const { name, dtype, shape, bits } of stored) {
          const part = quantized[name]!
          assert.deepEqual(part.shape, shape, name)
          if (dtype !== "u8") continue
          assert.strictEqual(part.dtype, "u8", name)
          assert.isBelow(Math.max(...(await part.read())), 2 ** bits, name)
        }
        releaseAll(quantized)
      }))

    it("takes the bytes that it says", () =>
      forWeights(candidate, async (weight) => {
        const quantized = quantizer.quantize(config, weight)
        const packed = await packWeight("w", choice, weight.shape, quantized)
        assert.strictEqual(packed.bytes, storedBytes(choice, weight.shape))
        const exact = (weight.size * quantizer.bitsPerWeight(config)) / 8
        const parts = quantizer.stored(config, weight.shape).length
        assert.isAtLeast(packed.bytes, exact - 1e-6)
        assert.isBelow(packed.bytes, exact + parts)
        packed.release()
        releaseAll(quantized)
      }))

    it("leaves nothing behind", async () => {
      const weight = tensor(backend, new Float32Array(candidate.rowUnit * candidate.group).fill(0.25), [
        candidate.rowUnit,
        candidate.group
      ])
      const before = backend.usage().buffers
      const quantized = quantizer.quantize(config, weight)
      const packed = await packWeight("w", choice, weight.shape, quantized)
      for (const made of [
        quantizer.fakeQuantize(config, weight),
        quantizer.dequantize(config, quantized, weight.shape),
        packed.unpack()
      ]) {
        made.release()
      }
      releaseAll(quantized)
      packed.release()
      assert.strictEqual(backend.usage().buffers, before)
      weight.release()
    })
  })
})
