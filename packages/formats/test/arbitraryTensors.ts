/** Lists of tensors with names of every kind, random shapes, and bytes to match. */
import fc from "fast-check"
import { type DType, dtypes, tensorBytes } from "../src/numbers/DType.ts"

export interface Example {
  readonly name: string
  readonly dtype: DType
  readonly shape: ReadonlyArray<number>
  readonly bytes: Uint8Array
}

const name = fc.oneof(
  fc.constantFrom(
    "model.layers.0.q_proj.weight",
    "__proto__",
    "constructor",
    "",
    " ",
    "\u0000",
    'quo"te\\',
    "重み",
    "12",
    "3"
  ),
  fc.string({ unit: "grapheme", maxLength: 12 })
)

const tensor: fc.Arbitrary<Example> = fc
  .record({ name, dtype: fc.constantFrom(...dtypes), shape: fc.array(fc.nat(4), { maxLength: 4 }), seed: fc.nat(250) })
  .map(({ name, dtype, shape, seed }) => ({
    name,
    dtype,
    shape,
    bytes: Uint8Array.from({ length: tensorBytes(dtype, shape)! }, (_, i) => (seed + i * 7) % 256)
  }))

export const arbitraryTensors: fc.Arbitrary<Array<Example>> = fc
  .uniqueArray(tensor, { selector: ({ name }) => name, maxLength: 6 })
  .filter((tensors) => tensors.every(({ name }) => name !== "__metadata__"))

export const arbitraryMetadata: fc.Arbitrary<Record<string, string>> = fc.dictionary(
  fc.string({ unit: "grapheme", maxLength: 6 }),
  fc.string({ unit: "grapheme", maxLength: 6 }),
  { maxKeys: 3 }
)
