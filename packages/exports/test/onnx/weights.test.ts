/** Weights as graphs have them: the numbers that the model computes with, to the last bit, from as few bits as its quantizer takes. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import {
  bilevel,
  embeddingSym4,
  flatAsymmetric,
  n2f3,
  type PackedWeight,
  type QuantizerChoice,
  uniform
} from "@speedq/quantizers"
import { makeReferenceBackend, type Parameters, Random, tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { type DeployedModel, largestDifference, packNearest, releaseParameters } from "../../src/index.ts"
import { Graph } from "../../src/onnx/graph/Graph.ts"
import { modelProto, type Value } from "../../src/onnx/protobuf/onnxMessages.ts"
import { linear, rowsOf } from "../../src/onnx/weights/layers.ts"
import { type MatrixDType, numbersOf } from "../../src/onnx/weights/Numbers.ts"
import { writeMessage } from "../../src/onnx/writeMessage.ts"
import { temporary } from "../support/models.ts"
import { runtime, runtimeFault } from "../support/onnxruntime.ts"

const backend = makeReferenceBackend()
const files = temporary("onnx-weights")
afterAll(() => {
  assert.strictEqual(backend.usage().buffers, 0)
  files.remove()
})

const layer = "layer"
const [rows, columns] = [6, 96]

const random = Random.make(1, "weights")
const weight = Float32Array.from({ length: rows * columns }, () => random.nextNormal())
const bias = Float32Array.from({ length: rows }, () => random.nextNormal())

const deployedOf = (packed: ReadonlyMap<string, PackedWeight>, others: Parameters): DeployedModel => ({
  packed,
  others,
  restBits: 32,
  rest: "f32",
  release: () => {}
})

/** Runs a graph that is made of a model. */
const run = async (
  { deployed, dtype = "f32" }: { readonly deployed: DeployedModel; readonly dtype?: MatrixDType },
  build: (place: { readonly graph: Graph; readonly numbers: ReturnType<typeof numbersOf> }) => void,
  input: { readonly value: Value; readonly data: Float32Array | BigInt64Array },
  output: Value
) => {
  const numbers = numbersOf(deployed, dtype)
  const graph = new Graph()
  build({ graph, numbers })
  const file = join(files.directory, "graph.onnx")
  await Effect.runPromise(writeMessage(file, modelProto(graph.parts("test", [input.value], [output]))))
  const { InferenceSession, Tensor } = runtime()
  const session = await InferenceSession.create(file)
  const types = { f32: "float32", i64: "int64" } as const
  const dims = input.value.shape as readonly number[]
  const fed = new Tensor(types[input.value.type as "f32" | "i64"], input.data, dims)
  const results = await session.run({ [input.value.name]: fed })
  await session.release()
  const values = results[output.name]!.data as Float32Array
  return { values, numbers, bytes: readFileSync(file).length }
}

/** x W^T + b for x of unit rows: the columns of W, and the bias. */
const productOf = (deployed: DeployedModel, dtype?: MatrixDType) => {
  const unit = Float32Array.from({ length: columns ** 2 }, (_, at) => (at % (columns + 1) === 0 ? 1 : 0))
  return run(
    { deployed, ...(dtype === undefined ? {} : { dtype }) },
    (place) => place.graph.ops("Identity", [linear(place, layer, "x")], ["y"]),
    { value: { name: "x", type: "f32", shape: [1, columns, columns] }, data: unit },
    { name: "y", type: "f32", shape: [1, columns, rows] }
  )
}

/** Every row of W, the last first. */
const rowsReversed = (deployed: DeployedModel) =>
  run(
    { deployed },
    (place) => rowsOf(place, layer, "ids", "y"),
    {
      value: { name: "ids", type: "i64", shape: [1, rows] },
      data: BigInt64Array.from({ length: rows }, (_, row) => BigInt(rows - 1 - row))
    },
    { name: "y", type: "f32", shape: [1, rows, columns] }
  )

/** Choices, and bits a code takes in the file; undefined where the operators have no codes of the kind. */
const choices: readonly (readonly [string, QuantizerChoice, number | undefined])[] = [
  ["bilevel, 2 bits", bilevel({ bits: 2, group: 16, scaleGroup: 4 }), 2],
  ["bilevel, 2 bits, an odd number of groups", bilevel({ bits: 2, group: 32, scaleGroup: 9 }), 2],
  ["bilevel, 3 bits", bilevel({ bits: 3, group: 16, scaleGroup: 4 }), 4],
  ["bilevel, 4 bits", bilevel({ bits: 4, group: 32, scaleGroup: 6 }), 4],
  ["bilevel, second level in f32", bilevel({ bits: 2, group: 16, scaleGroup: 4, secondLevel: "f32" }), 2],
  ["bilevel in bf16", bilevel({ bits: 2, group: 16, scaleGroup: 4, arithmetic: "bf16" }), undefined],
  ["bilevel, groups of 8", bilevel({ bits: 2, group: 8, scaleGroup: 4 }), undefined],
  ["uniform, 2 bits", uniform({ bits: 2, group: 32 }), 2],
  ["uniform, 2 bits, symmetric", uniform({ bits: 2, group: 32, symmetric: true }), 2],
  ["uniform, 4 bits", uniform({ bits: 4, group: 32, scale: "f32" }), 4],
  ["uniform, 4 bits, symmetric", uniform({ bits: 4, group: 32, symmetric: true }), 4],
  ["uniform, 8 bits", uniform({ bits: 8, group: 32 }), 8],
  ["uniform, 8 bits, symmetric", uniform({ bits: 8, group: 32, symmetric: true }), 8],
  ["embedding-sym4", embeddingSym4({ group: 32 }), 4],
  ["int2-asym", flatAsymmetric(2, { group: 32 }), 2],
  ["n2f3", n2f3({ group: 32 }), undefined]
]

const transposed = (values: ArrayLike<number>): Float32Array =>
  Float32Array.from({ length: values.length }, (_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!)

describe.skipIf(runtimeFault !== undefined)(`weights in onnxruntime ${runtimeFault ?? ""}`, () => {
  it.each(choices)("%s", async (_, choice, bits) => {
    const matrix = tensor(backend, weight, [rows, columns])
    const packed = await packNearest(layer, choice, matrix)
    const unpacked = packed.unpack()
    const expected = Float32Array.from(await unpacked.read())
    const deployed = deployedOf(new Map([[layer, packed]]), {})
    const product = await productOf(deployed)
    assert.deepStrictEqual([...product.values], [...transposed(expected)])
    assert.deepStrictEqual(product.numbers.dequantized, bits === undefined ? [layer] : [])
    assert.deepStrictEqual(product.numbers.difference(), { maxAbsErr: 0, relErr: 0 })
    const taken = (await rowsReversed(deployed)).values
    const reversed = Array.from({ length: rows }, (_, row) =>
      expected.slice((rows - 1 - row) * columns).slice(0, columns)
    )
    assert.deepStrictEqual(
      [...taken],
      reversed.flatMap((row) => [...row])
    )
    for (const each of [matrix, unpacked, packed]) each.release()
  })

  it("that have no codes lose nothing in f32, and in f16 what the certificate says", async () => {
    const matrix = tensor(backend, weight, [rows, columns])
    const plain = deployedOf(new Map(), { "layer.weight": matrix, "layer.bias": tensor(backend, bias, [rows]) })
    const expected = transposed(weight).map((value, at) => value + bias[at % rows]!)
    const whole = await productOf(plain)
    assert.deepStrictEqual([...whole.values], [...expected])
    assert.deepStrictEqual(whole.numbers.difference(), { maxAbsErr: 0, relErr: 0 })
    const half = await productOf(plain, "f16")
    assert.isBelow(half.bytes, whole.bytes - 1.9 * weight.length)
    const { maxAbsErr, relErr } = half.numbers.difference()
    assert.closeTo(largestDifference(expected, half.values), maxAbsErr, 1e-6)
    assert.isAbove(relErr, 2 ** -14)
    assert.isBelow(relErr, 2 ** -11)
    releaseParameters(plain.others)
  })
})

describe("weights in a file", () => {
  const partsOf = (numbers: ReturnType<typeof numbersOf>) => {
    const graph = new Graph()
    linear({ graph, numbers }, layer, "x")
    return graph.parts("test", [], []).initializers.filter(({ name }) => name.startsWith("layer.weight"))
  }
  const parts = (deployed: DeployedModel) => partsOf(numbersOf(deployed, "f32"))

  it.each([
    ["bilevel, 2 bits", bilevel({ bits: 2, group: 16, scaleGroup: 16 }), 2.5],
    ["bilevel, 4 bits", bilevel({ bits: 4, group: 32, scaleGroup: 16 }), 4 + 8 / 32 + 1 / 16],
    ["embedding-sym4", embeddingSym4({ group: 32 }), 4.5]
  ] as const)("take the bits that their quantizer states: %s", async (_, choice, bits) => {
    const matrix = tensor(backend, new Float32Array(64 * 128), [64, 128])
    const packed = await packNearest(layer, choice, matrix)
    const bytes = parts(deployedOf(new Map([[layer, packed]]), {})).reduce(
      (sum, { bytes }) => sum + bytes.byteLength,
      0
    )
    assert.strictEqual((8 * bytes) / matrix.size, bits)
    for (const each of [matrix, packed]) each.release()
  })

  it("are named where f16 does not hold them, when they are written", async () => {
    const matrix = tensor(backend, new Float32Array(32).fill(1e6), [2, 16])
    const numbers = numbersOf(deployedOf(new Map(), { "layer.weight": matrix }), "f16")
    const [stored] = partsOf(numbers)
    assert.deepStrictEqual(numbers.tooLarge(), [])
    await Effect.runPromise(writeMessage(join(files.directory, "large"), [stored!.bytes]))
    assert.deepStrictEqual(numbers.tooLarge(), ["layer.weight"])
    matrix.release()
  })
})
