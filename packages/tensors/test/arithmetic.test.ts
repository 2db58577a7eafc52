/** The arithmetic of products: what bf16 means, what stays f32, how a backend that has none refuses. */
import { afterAll, assert, describe, it } from "vitest"
import { requireBfloat16 } from "../src/backends/native/findLibraries.ts"
import {
  type Backend,
  BackendUnavailable,
  ForeignTensor,
  fromBfloat16,
  linear,
  makeGpujsBackend,
  makeNativeBackend,
  makeReferenceBackend,
  matmul,
  matmulInto,
  openBackend,
  Random,
  type Tensor,
  tensor,
  toBfloat16
} from "../src/index.ts"
import { assertClose } from "./conformance/compare.ts"

const reference = makeReferenceBackend()
const native = await makeNativeBackend({ threads: 2 })
afterAll(() => native.close())

const errorOf = (body: () => unknown): unknown => {
  try {
    body()
  } catch (error) {
    return error
  }
  return undefined
}
/** Why this machine has no products in bf16; undefined where it has. */
const refusal = errorOf(() => native.withArithmetic("bf16"))
const backends: readonly Backend[] = [reference, ...(refusal === undefined ? [native] : [])]

const [m, k, n] = [9, 37, 21]
const random = Random.make(19)
const numbers = (count: number) => Float32Array.from({ length: count }, () => random.nextNormal())
const [valuesX, valuesW] = [numbers(m * k), numbers(n * k)]
const rounded = (values: Float32Array) => values.map((value) => fromBfloat16(toBfloat16(value)))

const read = async (tensors: readonly Tensor[], y: Tensor): Promise<ArrayLike<number>> => {
  const values = await y.read()
  for (const each of [...tensors, y]) each.release()
  return values
}

/** x W^T of these numbers, by kernels that do it. */
const products = (backend: Backend, x: Float32Array, w: Float32Array, arithmetic?: "f32") => {
  const operands = () => [tensor(backend, x, [m, k]), tensor(backend, w, [n, k])] as const
  const sum = tensor(backend, new Float32Array(m * n), [m, n])
  const [a, b, c] = [operands(), operands(), operands()]
  matmulInto(sum, b[0], b[1], false, true, arithmetic)
  const all = [read(a, matmul(a[0], a[1], false, true, arithmetic)), read(b, sum)]
  if (arithmetic === "f32") for (const each of c) each.release()
  else all.push(read(c, linear(c[0], c[1])))
  return Promise.all(all)
}

const close = { relative: 1e-5, absolute: 1e-5 }

describe("products in bf16", () => {
  it.each(backends)("$name: the product of the factors rounded to bf16, summed in f32", async (backend) => {
    const [expected] = await products(reference, rounded(valuesX), rounded(valuesW))
    for (const actual of await products(backend.withArithmetic("bf16"), valuesX, valuesW)) {
      assertClose(backend.name, [m, n], actual, expected!, close)
    }
  })

  it.each(backends)("$name: f32 where a product asks for it", async (backend) => {
    const [expected] = await products(reference, valuesX, valuesW)
    for (const actual of await products(backend.withArithmetic("bf16"), valuesX, valuesW, "f32")) {
      assertClose(backend.name, [m, n], actual, expected!, close)
    }
  })

  it.each([
    [1, "f32"],
    [4, "f32"],
    [5, "f32"],
    [1, "bf16"],
    [3, "bf16"],
    [2, "f16"],
    [6, "f16"]
  ] as const)("%i rows times a weight stored as %s", async (rows, dtype) => {
    const run = (backend: Backend) => {
      const held = dtype === "f32" ? valuesW : Array.from(valuesW, (value) => toBfloat16(value))
      const x = tensor(backend, valuesX.subarray(0, rows * k), [rows, k])
      // The patterns of bf16 are as good halves as any.
      const w = tensor(backend, held, [n, k], dtype)
      return read([x, w], linear(x, w))
    }
    const expected = await run(reference.withArithmetic("bf16"))
    for (const backend of backends) {
      assertClose(backend.name, [rows, n], await run(backend.withArithmetic("bf16")), expected, close)
    }
  })

  it.skipIf(refusal !== undefined)("a right factor of which some rows are rounded at a time", async () => {
    const [few, wide, narrow] = [5, 40_001, 512]
    // A thousand different numbers, over and over.
    const some = numbers(1021)
    const repeated = (of: Float32Array, count: number) => {
      const values = new Float32Array(count)
      for (let at = 0; at < count; at += of.length) values.set(of.subarray(0, Math.min(of.length, count - at)), at)
      return values
    }
    const bias = repeated(some, wide)
    const run = async (backend: Backend, from: Float32Array) => {
      const of = (rows: number, columns: number) => tensor(backend, repeated(from, rows * columns), [rows, columns])
      const [x, y, w, b] = [of(few, narrow), of(few, wide), of(wide, narrow), tensor(backend, bias, [wide])]
      const forth = await read([x, b], linear(x, w, b))
      // A view, valid until the next call.
      return [Float32Array.from(forth), Float32Array.from(await read([y, w], matmul(y, w)))] as const
    }
    const expected = await run(native, rounded(some))
    const actual = await run(native.withArithmetic("bf16"), some)
    for (const [index, columns] of [wide, narrow].entries()) {
      const near = { relative: 1e-5, absolute: 2e-3 }
      assertClose(`product ${index}`, [few, columns], actual[index]!, expected[index]!, near)
    }
  })

  it.each(backends)("$name: one device with two arithmetics, whose tensors are foreign to each other", (backend) => {
    const other = backend.withArithmetic("bf16")
    assert.strictEqual(backend.withArithmetic("bf16"), other)
    assert.strictEqual(other.withArithmetic("f32"), backend)
    assert.deepEqual([backend.arithmetic, other.arithmetic], ["f32", "bf16"])
    assert.match(other.name, /bf16/)
    const [a, b] = [tensor(backend, [1], [1, 1]), tensor(other, [1], [1, 1])]
    assert.strictEqual(backend.usage().bytes, other.usage().bytes)
    assert.instanceOf(
      errorOf(() => matmul(a, b)),
      ForeignTensor
    )
    for (const each of [a, b]) each.release()
  })

  it("refused, with what to do, where nothing multiplies bf16", async () => {
    const unwanted = errorOf(() => requireBfloat16("none")) as Error
    assert.instanceOf(unwanted, BackendUnavailable)
    assert.match(unwanted.message, /oneDNN is not wanted .*; or choose bf16-or-f32, which computes in f32 then/)
    if (refusal !== undefined) {
      assert.instanceOf(refusal, BackendUnavailable)
      assert.match(
        String(refusal),
        /(does not multiply bf16|needs oneDNN .*(apt-get|npm) install|not wanted).*; or choose bf16-or-f32/
      )
    }
    const gpujs = await makeGpujsBackend({ mode: "cpu" })
    assert.strictEqual(gpujs.withArithmetic("f32"), gpujs)
    assert.instanceOf(
      errorOf(() => gpujs.withArithmetic("bf16")),
      BackendUnavailable
    )
    await gpujs.close()
  })

  it("opened by name, or in f32 where that is allowed", async () => {
    assert.match((await openBackend("reference", { arithmetic: "bf16" })).name, /bf16/)
    const allowed = await openBackend("native:none", { arithmetic: "bf16-or-f32" })
    assert.strictEqual(allowed.arithmetic, "f32")
    await allowed.close()
    const refused = await openBackend("native:none", { arithmetic: "bf16" }).catch((error: unknown) => error)
    assert.instanceOf(refused, BackendUnavailable)
  })
})
