/** Products with codes on the native backend: whole numbers within chunks, to the bit, in both builds and on any number of threads. */
import { afterAll, assert, describe, it } from "vitest"
import {
  type Activations,
  type Backend,
  type CastTarget,
  cast,
  codeWeight,
  gridDecode,
  linear,
  linearCodes,
  makeNativeBackend,
  Random,
  scope,
  streamOfCodes,
  tensor,
  unpackCodes
} from "../../src/index.ts"

const backends = await Promise.all([
  makeNativeBackend({ threads: 1, blas: "none" }),
  makeNativeBackend({ threads: 1, blas: "none", simd: "plain" }),
  makeNativeBackend({ threads: 3, blas: "none" })
])
afterAll(async () => {
  for (const backend of backends) await backend.close()
})

const f = Math.fround

interface Weight {
  readonly bits: number
  readonly group: number
  readonly rows: number
  readonly columns: number
  readonly stream: Uint8Array
  readonly grid: Uint8Array
  readonly origin: Float32Array
  readonly step: Float32Array | undefined
  /** What scales of rows' own are stored in; their numbers are of that type. */
  readonly stored?: CastTarget
}

const makeWeight = (bits: number, group: number, rows: number, columns: number, sharing?: number): Weight => {
  const random = Random.make(bits + group + rows)
  const below = (limit: number) => Math.floor(limit * random.nextUniform())
  const groups = columns / group
  const scales = (rows / (sharing ?? 1)) * groups
  return {
    bits,
    group,
    rows,
    columns,
    stream: Uint8Array.from({ length: (rows * columns * bits) / 8 }, () => below(256)),
    grid: Uint8Array.from({ length: rows * groups }, () => below(16) + 16 * below(2 ** bits)),
    origin: Float32Array.from({ length: scales }, () => 0.01 + 0.01 * random.nextUniform()),
    step: sharing === undefined ? undefined : Float32Array.from({ length: scales }, () => 0.01 * random.nextUniform())
  }
}

const code = ({ bits, columns, stream }: Weight, row: number, column: number): number => {
  const bit = (row * columns + column) * bits
  return (stream[bit >> 3]! >> (bit & 7)) & (2 ** bits - 1)
}

const upload = (backend: Backend, weight: Weight) => {
  const { bits, group, rows, columns, stream, grid, origin, step, stored = "f32" } = weight
  const groups = columns / group
  const scales = (values: Float32Array) => tensor(backend, values, [values.length / groups, groups])
  return codeWeight({ bits, rows, group }, columns, tensor(backend, stream, [stream.length], "u8"), () => ({
    grid: tensor(backend, grid, [rows, groups], "u8"),
    ...(step ? { origin: scales(origin), step: scales(step) } : { scale: cast(scales(origin), stored) })
  }))
}

/** On a backend, the product and what its weight's codes come back as. */
const product = async (backend: Backend, weight: Weight, x: Float32Array, activations: Activations) => {
  const { y, stream } = scope(() => {
    const coded = upload(backend, weight)
    const rows = tensor(backend, x, [x.length / weight.columns, weight.columns])
    return { y: linearCodes(rows, coded, { activations }), stream: streamOfCodes(coded, weight.columns) }
  })
  const read = { y: await y.read(), stream: await stream.read() }
  y.release()
  stream.release()
  assert.strictEqual(backend.usage().buffers, 0)
  return read
}

/** The weight [rows, columns] in f32. */
const decoded = (backend: Backend, weight: Weight) =>
  scope(() => {
    const { bits, rows, columns, group, stream, grid, origin, step } = weight
    const groups = columns / group
    const sharing = step ? (rows * groups) / step.length : 1
    const at = (index: number) => Math.floor(Math.floor(index / groups) / sharing) * groups + (index % groups)
    const scale = Float32Array.from(grid, (both, i) =>
      step ? f(f(step[at(i)]! * (both % 16)) + origin[at(i)]!) : origin[i]!
    )
    const zero = Float32Array.from(grid, (both) => both >> 4)
    const codes = unpackCodes(tensor(backend, stream, [stream.length], "u8"), bits, [rows, columns])
    return gridDecode(codes, tensor(backend, scale, [rows, groups]), tensor(backend, zero, [rows, groups]), bits)
  })

/** A product of many rows has the bits of one with the unpacked weight, on every backend the same. */
const sameAsUnpacked = async (weight: Weight, rows: number): Promise<void> => {
  const random = Random.make(rows)
  const x = Float32Array.from({ length: rows * weight.columns }, () => random.nextNormal())
  const results: number[][] = []
  for (const backend of backends) {
    const expected = scope(() => linear(tensor(backend, x, [rows, weight.columns]), decoded(backend, weight)))
    const wanted = [...(await expected.read())]
    expected.release()
    const { y } = await product(backend, weight, x, "f32")
    assert.deepStrictEqual([...y], wanted, backend.name)
    results.push(wanted)
  }
  // The plain build does not fuse.
  assert.deepStrictEqual(results[2], results[0])
}

const roundHalfEven = (value: number): number => {
  const down = Math.floor(value)
  if (value - down !== 0.5) return Math.round(value)
  return down % 2 === 0 ? down : down + 1
}

/** The definition, with whole numbers within chunks and the kernel's order of everything else. */
const plainProduct = (weight: Weight, x: Float32Array, activations: Activations): Float32Array => {
  const { bits, group, rows, columns, grid, origin, step } = weight
  const chunk = 128 / bits
  const byRows = group % chunk === 0
  const run = byRows ? chunk : chunk / 4
  const sharing = step ? (rows * (columns / group)) / step.length : 1
  const laid = Array.from({ length: Math.ceil(columns / chunk) }, (_, at) => {
    const numbers = x.subarray(at * chunk, Math.min(columns, (at + 1) * chunk))
    const most = numbers.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0)
    const exact = 2 ** (Math.floor(Math.log2(most)) - 21)
    const [unit, factor] = activations === "int8" ? [f(most / 127), f(127 / most)] : [exact, 1 / exact]
    return { unit, whole: Array.from(numbers, (value) => roundHalfEven(f(value * factor))) }
  })
  return Float32Array.from({ length: rows }, (_, row) => {
    const lanes = [0, 0, 0, 0]
    for (let start = 0; start < columns; start += run) {
      const at = row * (columns / group) + Math.floor(start / group)
      const [scaleCode, zero] = [grid[at]! % 16, grid[at]! >> 4]
      const shared = Math.floor(row / sharing) * (columns / group) + Math.floor(start / group)
      const scale = step ? f(f(step[shared]! * scaleCode) + origin[shared]!) : origin[at]!
      const { unit, whole } = laid[Math.floor(start / chunk)]!
      let sum = 0
      for (let i = start; i < Math.min(columns, start + run); i++) {
        sum += (code(weight, row, i) - zero) * whole[i % chunk]!
      }
      assert.isBelow(Math.abs(sum), 2 ** 31)
      const lane = byRows ? 0 : (start / run) % 4
      lanes[lane] = f(lanes[lane]! + f(f(f(sum) * unit) * scale))
    }
    return byRows ? lanes[0]! : f(f(lanes[0]! + lanes[1]!) + f(lanes[2]! + lanes[3]!))
  })
}

/** The same weight with scales that 8 bits of fraction hold, stored in that type. */
const inStoredType = (weight: Weight, stored: CastTarget): Weight => ({
  ...weight,
  origin: weight.origin.map((value) => Math.round(value * 2 ** 13) / 2 ** 13),
  stored
})

const weights: readonly (readonly [name: string, weight: Weight])[] = [
  ["2 bits g16, shared scales", makeWeight(2, 16, 144, 448, 16)],
  ["2 bits g16, scales of their own", makeWeight(2, 16, 131, 112)],
  ["2 bits g128", makeWeight(2, 128, 8, 384, 4)],
  ["4 bits g32", makeWeight(4, 32, 1031, 512)],
  ["4 bits g32, shared scales", makeWeight(4, 32, 256, 96, 128)],
  ["4 bits g8", makeWeight(4, 8, 5, 40)],
  ["4 bits g32, scales in f16", inStoredType(makeWeight(4, 32, 1031, 512), "f16")],
  ["2 bits g16, scales in f16", inStoredType(makeWeight(2, 16, 131, 112), "f16")],
  ["4 bits g8, scales in bf16", inStoredType(makeWeight(4, 8, 5, 40), "bf16")]
]

it("many rows of a weight with more inputs than a block has terms", () =>
  sameAsUnpacked(makeWeight(2, 16, 700, 2048, 4), 280))

describe.each(weights)("%s", (_, weight) => {
  const random = Random.make(31)
  const rows = 4
  const x = Float32Array.from({ length: rows * weight.columns }, () => random.nextNormal() * 10 ** random.nextNormal())

  it.each(["f32", "int8"] as const)("%s gives the bits of sums of whole numbers", async (activations) => {
    const expected = Array.from({ length: rows }, (_, row) =>
      Array.from(plainProduct(weight, x.subarray(row * weight.columns, (row + 1) * weight.columns), activations))
    ).flat()
    for (const backend of backends) {
      const { y, stream } = await product(backend, weight, x, activations)
      assert.deepStrictEqual(Array.from(y), expected, backend.name)
      assert.deepStrictEqual(Array.from(stream), Array.from(weight.stream), backend.name)
      const alone = await product(backend, weight, x.subarray(0, weight.columns), activations)
      assert.deepStrictEqual(Array.from(alone.y), expected.slice(0, weight.rows), backend.name)
    }
  })

  it("many rows have the bits of a product with the unpacked weight", () => sameAsUnpacked(weight, 37))

  it("f32 is the product of the weight but for the steps of x and the rounding of sums", async () => {
    const [backend] = backends
    const unpacked = decoded(backend, weight)
    const w = await unpacked.read()
    unpacked.release()
    const { y } = await product(backend, weight, x, "f32")
    for (const [index, value] of Array.from(y).entries()) {
      const [row, output] = [Math.floor(index / weight.rows), index % weight.rows]
      const own = x.subarray(row * weight.columns, (row + 1) * weight.columns)
      const chunk = 128 / weight.bits
      let [exact, allowed] = [0, 0]
      for (let i = 0; i < weight.columns; i++) {
        const start = i - (i % chunk)
        const most = own.subarray(start, start + chunk).reduce((a, b) => Math.max(a, Math.abs(b)), 0)
        const factor = w[output * weight.columns + i]!
        exact += own[i]! * factor
        allowed += 2 ** -22 * most * Math.abs(factor) + 2 ** -20 * Math.abs(own[i]! * factor)
      }
      assert.isAtMost(Math.abs(value - exact), allowed, `row ${row}, output ${output}`)
    }
  })
})

it.each([Number.NaN, Number.POSITIVE_INFINITY])(
  "a row of x with %s makes its own y NaN, and no other",
  async (special) => {
    const weight = makeWeight(2, 16, 16, 128, 16)
    const x = new Float32Array(2 * weight.columns).fill(1)
    x[70] = special
    for (const backend of backends) {
      for (const activations of ["f32", "int8"] as const) {
        const { y } = await product(backend, weight, x, activations)
        const nan = Array.from(y, Number.isNaN)
        assert.deepStrictEqual(
          nan,
          [...Array(16).fill(true), ...Array(16).fill(false)],
          `${backend.name} ${activations}`
        )
      }
    }
  }
)
