/**
 * Products by matrices of f16: every form of them compiled on Dawn's null adapter; computed where an adapter has such matrices, and,
 * with matrices written out as arrays, where it has none.
 */
import { GPU } from "gpu.js"
import { afterAll, assert, describe, it } from "vitest"
import { makeGpujsBackend } from "../../src/backends/gpujs/GpujsBackend.ts"
import { makeQueuedBackend } from "../../src/backends/gpujs/queuedBackend.ts"
import { adapterFacts } from "../../src/backends/gpujs/webgpu/adapterFacts.ts"
import type { Matrices } from "../../src/backends/gpujs/webgpu/matrices.ts"
import { type MatrixTile, matrixLaunches } from "../../src/backends/gpujs/webgpu/matrixProducts.ts"
import type { Product } from "../../src/backends/gpujs/webgpu/Product.ts"
import { leastOfMatrices, productLaunches } from "../../src/backends/gpujs/webgpu/products.ts"
import type { WgslLaunch, WgslProgram } from "../../src/backends/gpujs/webgpu/WebgpuBody.ts"
import { watchDevice } from "../../src/backends/gpujs/webgpu/watchDevice.ts"
import { makeWebgpuDevice } from "../../src/backends/gpujs/webgpu/webgpuDevice.ts"
import { apply } from "../../src/core/apply.ts"
import { defineKernel } from "../../src/core/Kernel.ts"
import {
  type Backend,
  BackendUnavailable,
  fromBfloat16,
  fromFloat16,
  linear,
  matmul,
  matmulInto,
  Random,
  tensor,
  toBfloat16,
  toFloat16,
  zeros
} from "../../src/index.ts"
import { provideWebgpu } from "../../src/system/node/webgpu.ts"
import { matrixProduct } from "./matrixModel.ts"
import { openNullDevice, useNullGpu } from "./nullDevice.ts"

const orReason = (starting: Promise<Backend>): Promise<Backend | BackendUnavailable> =>
  starting.catch((error: unknown) => {
    if (error instanceof BackendUnavailable) return error
    throw error
  })

/** A device with all the memory of a workgroup that its adapter has: in f32, parts of factors take twice that of f16. */
const startRoomy = async (): Promise<Backend> => {
  const found = await (await provideWebgpu("gpujs:webgpu", false)).requestAdapter()
  if (found === null) throw new BackendUnavailable("gpujs:webgpu", "WebGPU found no adapter")
  const { maxComputeWorkgroupStorageSize } = found.limits
  const device = await found.requestDevice({ requiredLimits: { maxComputeWorkgroupStorageSize } })
  const facts = adapterFacts(found.info, { byDawn: true })
  const opened = {
    mode: "gpujs:webgpu",
    device,
    facts,
    adapter: "roomy",
    ...watchDevice(device, "gpujs:webgpu (roomy)")
  }
  return makeQueuedBackend(makeWebgpuDevice(GPU, opened, { debug: false, wgsl: true }))
}

// Adapters, where there are some, are asked for before the null one takes their place.
const adapter = await orReason(startRoomy())
const own = {
  1: await orReason(makeGpujsBackend({ mode: "webgpu+f16" })),
  3: await orReason(makeGpujsBackend({ mode: "webgpu+f16x3" }))
}
const closing = [adapter, own[1], own[3]].flatMap((each) => (each instanceof Error ? [] : [each]))

useNullGpu()
afterAll(async () => {
  for (const backend of closing) await backend.close()
})

const nullBackend = async (matrices: Matrices): Promise<Backend> => {
  const opened = await openNullDevice(matrices)
  const backend = makeQueuedBackend(makeWebgpuDevice(GPU, opened, { debug: false, wgsl: true }))
  closing.push(backend)
  return backend
}

const nvidia = { m: 16, n: 16, k: 16, subgroup: 32 }
const kinds = ["f32", "bf16", "f16"] as const
type Kind = (typeof kinds)[number]

// Every extent ends within a tile and within a step along k.
const [batch, m, n, k] = [2, 131, 139, 53]

interface Case {
  readonly matrices: Matrices
  readonly tile: MatrixTile
  readonly kind: Kind
  readonly transposeA: boolean
  readonly transposeB: boolean
  readonly sharedB: boolean
}

const turns = [false, true].flatMap((transposeA) =>
  [false, true].map((transposeB) => ({ transposeA, transposeB, sharedB: transposeA !== transposeB }))
)

const forms = [
  { matrices: { ...nvidia, terms: 1 }, tile: 64 },
  { matrices: { ...nvidia, terms: 1 }, tile: 128 },
  { matrices: { ...nvidia, terms: 3 }, tile: 64 }
] as const

const cases: readonly Case[] = forms.flatMap((form) =>
  turns.flatMap((turned) => kinds.map((kind) => ({ ...form, ...turned, kind })))
)

/** Matrices of other adapters, with the tile that needs most memory of a workgroup. */
const otherMatrices: readonly Case[] = (
  [
    [16, 8, 16, 32],
    [8, 16, 16, 32],
    [16, 16, 8, 32],
    [16, 8, 8, 32],
    [8, 8, 8, 32],
    [16, 16, 16, 64],
    [8, 8, 8, 64]
  ] as const
).flatMap(([m, n, k, subgroup]) =>
  forms.map(({ matrices: { terms }, tile }) => ({
    matrices: { m, n, k, subgroup, terms },
    tile,
    ...turns[1]!,
    kind: "f32" as const
  }))
)

const random = Random.make(5, "products")
const values = (count: number) => Array.from({ length: count }, () => Math.fround(random.nextNormal()))

/** Rows of nine sizes, `apart` powers of two between them, with outliers. */
const spread = (rows: number, apart: number) =>
  values(rows * k).map((x, i) => {
    const row = Math.floor(i / k)
    return Math.fround(x * 2 ** (apart * ((row % 9) - 4)) * (i % 97 === 5 ? 40 : 1))
  })

const stored: { readonly [K in Kind]: (x: number) => number } = {
  f32: (x) => x,
  bf16: (x) => fromBfloat16(toBfloat16(x)),
  f16: (x) => fromFloat16(toFloat16(x))
}
const patterns = { bf16: toBfloat16, f16: toFloat16 }

const storedAs = (backend: Backend, kind: Kind, numbers: readonly number[], shape: readonly number[]) =>
  kind === "f32"
    ? tensor(backend, numbers, shape)
    : tensor(backend, Uint16Array.from(numbers, patterns[kind]), shape, kind)

/** y += op(a) op(b) + bias by the launches for a device's matrices. */
const kernelOf = (launches: (matrices: Matrices | undefined) => readonly WgslLaunch[]) =>
  defineKernel<"a" | "b" | "bias" | "y", never, object>({
    name: "product",
    inputs: {
      a: { dtypes: ["f32"] },
      b: { dtypes: kinds },
      bias: { dtypes: ["f32"] },
      y: { dtypes: ["f32"], updated: true }
    },
    outputs: [],
    infer: () => ({}),
    reference: () => {},
    gpujs: { programs: () => [] },
    webgpu: { launches: (_geometry, _attributes, matrices) => launches(matrices) },
    cost: () => ({ flops: 0, bytes: 0 }),
    samples: () => []
  })

// Of a: sizes that f16 does not hold. b is stored in f16, too.
const [aRows, bColumns] = [spread(batch * m, 16), spread(batch * n, 2)]
const [bias, before] = [values(n), values(batch * m * n)]

/** [item][row][k] as stored: [item, row, k], or [item, k, row] where turned. */
const laid = (rows: readonly number[], items: number, extent: number, turned: boolean): number[] => {
  if (!turned) return rows.slice(0, items * extent * k)
  return Array.from({ length: items * extent * k }, (_, at) => {
    const [item, rest] = [Math.floor(at / (extent * k)), at % (extent * k)]
    return rows[(item * extent + (rest % extent)) * k + Math.floor(rest / extent)]!
  })
}

/** What a product is computed of and by. */
interface Given {
  readonly launches?: Launches
  readonly a?: readonly number[]
  readonly b?: readonly number[]
}

type Launches = (tried: Case) => readonly WgslLaunch[]

const launchesOf: Launches = ({ matrices, tile, transposeA: turnsA, transposeB: turnsB, sharedB }: Case) =>
  matrixLaunches(
    { batch, m, n, k, turnsA, turnsB, sharedB, a: "a", b: "b", bias: "bias", y: { name: "y" }, added: true },
    matrices,
    tile
  )

/** By the matrices of the backend's device, or by those of the case where it has none. */
const computed = async (
  backend: Backend,
  tried: Case,
  { launches = launchesOf, a = aRows, b = bColumns }: Given = {}
): Promise<ArrayLike<number>> => {
  const { transposeA, transposeB, sharedB, kind } = tried
  const shared = sharedB ? [] : [batch]
  const operands = {
    a: tensor(backend, laid(a, batch, m, transposeA), transposeA ? [batch, k, m] : [batch, m, k]),
    b: storedAs(
      backend,
      kind,
      laid(b, sharedB ? 1 : batch, n, !transposeB),
      transposeB ? [...shared, n, k] : [...shared, k, n]
    ),
    bias: tensor(backend, bias, [n]),
    y: tensor(backend, before, [batch, m, n])
  }
  const kernel = kernelOf((matrices = tried.matrices) => launches({ ...tried, matrices }))
  apply(kernel, operands, {})
  const y = await operands.y.read()
  for (const operand of Object.values(operands)) operand.release()
  return y
}

const rowsFrom = (numbers: readonly number[], first: number, count: number) =>
  Array.from({ length: count }, (_, row) => numbers.slice((first + row) * k, (first + row + 1) * k))

/** The worst error over the sum of magnitudes that went into an element, against the model. */
const missOf = (actual: ArrayLike<number>, { matrices: { terms }, sharedB, kind }: Case): number => {
  let worst = 0
  for (let item = 0; item < batch; item++) {
    const rows = rowsFrom(aRows, item * m, m)
    const columns = rowsFrom(bColumns, sharedB ? 0 : item * n, n).map((column) => column.map(stored[kind]))
    const products = matrixProduct(terms, rows, columns)
    for (const [row, ofRow] of products.entries()) {
      for (const [column, product] of ofRow.entries()) {
        const at = (item * m + row) * n + column
        const size = rows[row]!.reduce((sum, x, i) => sum + Math.abs(x * columns[column]![i]!), 0)
        const [ofBias, ofBefore] = [bias[column]!, before[at]!]
        const expected = product + ofBias + ofBefore
        worst = Math.max(worst, Math.abs(actual[at]! - expected) / (size + Math.abs(ofBias) + Math.abs(ofBefore)))
      }
    }
  }
  return worst
}

/** Rows of a and columns of b, of all items, in which something is not finite. */
const special = { rows: [3, 70, m + 130], columns: [17, n + 64] }

const planted = (numbers: readonly number[], places: readonly number[]): number[] => {
  const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const changed = [...numbers]
  for (const [i, place] of places.entries()) changed[place * k + 7 * i] = specials[i % 3]!
  return changed
}

/** What is not finite makes its rows and columns of y NaN, and leaves every bit of the others. */
const checkSpecials = async (backend: Backend, tried: Case, launches = launchesOf) => {
  const usual = await computed(backend, tried, { launches })
  const [a, b] = [planted(aRows, special.rows), planted(bColumns, special.columns)]
  const actual = await computed(backend, tried, { launches, a, b })
  for (let at = 0; at < actual.length; at++) {
    const [row, column] = [Math.floor(at / n), Math.floor(at / (m * n)) * n + (at % n)]
    const planted = special.rows.includes(row) || special.columns.includes(column)
    if (!Object.is(actual[at], planted ? Number.NaN : usual[at]))
      assert.fail(`row ${row}, column ${column}: ${actual[at]}`)
  }
}

const title = (kind: "forms" | "others") =>
  kind === "forms"
    ? "$matrices.terms terms in tiles of $tile, b in $kind, a turned: $transposeA, b turned: $transposeB, b shared: $sharedB"
    : "$matrices.terms terms in tiles of $tile, by $matrices.m x $matrices.n x $matrices.k of $matrices.subgroup threads"

describe("products by matrices compile", () => {
  it.each(cases)(title("forms"), async (tried) => {
    await computed(await nullBackend(tried.matrices), tried)
  })

  it.each(otherMatrices)(title("others"), async (tried) => {
    await computed(await nullBackend(tried.matrices), tried)
  })

  it.each([1, 3] as const)("in %d terms, for every product that there is", async (terms) => {
    const backend = await nullBackend({ ...nvidia, terms })
    const usage = backend.usage()
    const [a, b] = [zeros(backend, [2, 40, 50]), zeros(backend, [2, 50, 60])]
    const y = matmul(a, b)
    matmulInto(y, a, b)
    const rows = linear(a, zeros(backend, [33, 50], "bf16"), zeros(backend, [33]))
    await rows.read()
    for (const held of [a, b, y, rows]) held.release()
    assert.isAtMost(backend.usage().buffers - usage.buffers, 2, "no scales are left")
  })
})

describe("the table of products", () => {
  const product = { batch: 1, m: 512, n: 896, k: 896, turnsA: false, turnsB: true, sharedB: true }
  const named = { a: "a", b: "b", y: { name: "y" } }
  const one = { ...nvidia, terms: 1 } as const
  const tileOf = (size: Partial<Product>, matrices: Matrices | undefined) => {
    const launches = productLaunches({ ...product, ...size, ...named }, matrices)
    const { program, workgroups } = launches.at(-1)!
    return { launches: launches.length, matrices: program.directives !== undefined, workgroups }
  }

  it("takes tiles of 64, and of 128 where there are enough to fill a GPU; of three terms always 64", () => {
    assert.deepEqual(tileOf({}, one), { launches: 2, matrices: true, workgroups: [14, 8, 1] })
    assert.deepEqual(tileOf({ n: 4864 }, one), { launches: 2, matrices: true, workgroups: [38, 4, 1] })
    assert.deepEqual(tileOf({ n: 4864 }, { ...one, terms: 3 }), { launches: 2, matrices: true, workgroups: [76, 8, 1] })
  })

  it.each(["m", "n", "k"])("computes in f32 where %s is small, and where there are no matrices", (extent) => {
    assert.isTrue(tileOf({ [extent]: leastOfMatrices }, one).matrices)
    const { launches, matrices } = tileOf({ [extent]: leastOfMatrices - 1 }, one)
    assert.deepEqual([launches, matrices], [1, false])
    assert.isFalse(tileOf({}, undefined).matrices)
  })

  it("goes by the rows that become the same alone", () => {
    assert.isFalse(tileOf({ rowsAlike: leastOfMatrices - 1 }, one).matrices)
    assert.deepEqual(tileOf({ n: 4864, rowsAlike: 64 }, one).workgroups, [76, 8, 1])
  })
})

const skipped = (found: Backend | BackendUnavailable) => (found instanceof Error ? `: skipped, ${found.message}` : "")

describe.each([1, 3] as const)("by an adapter's matrices, %d terms", (terms) => {
  const backend = own[terms]
  const ofTerms = cases.filter(({ matrices }) => matrices.terms === terms)
  describe.skipIf(backend instanceof Error)(`equal the model${skipped(backend)}`, () => {
    it.each(ofTerms)(title("forms"), async (tried) => {
      assert.isAtMost(missOf(await computed(backend as Backend, tried), tried), 2 ** -20)
    })

    it("give NaN for what is not finite, in its row and column alone", async () => {
      await checkSpecials(backend as Backend, { ...ofTerms[0]!, sharedB: false, kind: "f32" })
    })
  })
})

/**
 * The same text without matrices, for adapters that have none. A factor is the place where it lies: `2 place`, and 1 more where that is
 * `low`; each thread of a subgroup has its share of the sums.
 */
const writtenOut = (program: WgslProgram, { terms, m, n, k, subgroup }: Matrices): WgslProgram => {
  const share = (m * n) / subgroup
  /** Where an element of a factor lies, by its row and column, as the text has it. */
  const places: { [type: string]: string } = {}
  const text = program.text
    .replace(/alias .*;\n/g, "")
    .replaceAll("array<f16,", "array<f32,")
    .replaceAll("f16(", "(")
    .replace(/,\s*@builtin\(subgroup_id\) part: u32/, "")
    .replace(/(fn main[^{]*\{)/, `$1\n  let part = lane / ${subgroup}u;\n  own_lane = lane % ${subgroup}u;`)
    .replaceAll("subgroupMatrixMultiplyAccumulate", "multiply_add")
    .replace(/subgroupMatrixStore<row_major>\(&sums, ([^;]*), (\w+), (\d+)u\);/g, "store_sums($1, $2, $3u);")
    .replace(
      /subgroupMatrixLoad<(\w+), (row|col)_major>\(&[ab]_(high|low), (.*), (\d+)u\);/g,
      (_, type: string, order: string, part: string, at: string, stride: string) => {
        places[type] = order === "row" ? `r * ${stride}u + c` : `c * ${stride}u + r`
        return `2u * (${at}) + ${part === "low" ? 1 : 0}u;`
      }
    )
  const element = (type: "Left" | "Right", x: string) => `
fn of_${type}(factor: u32, r: u32, c: u32) -> f32 {
  let at = factor / 2u + ${places[type]};
  ${terms === 3 ? `if (factor % 2u == 1u) { return ${x}_low[at]; }` : ""}
  return ${x}_high[at];
}`
  const { directives: _, ...rest } = program
  return {
    ...rest,
    text: `
alias Sum = array<f32, ${share}>;
var<private> own_lane: u32;${element("Left", "a")}${element("Right", "b")}
fn multiply_add(left: u32, right: u32, sum: Sum) -> Sum {
  var values = sum;
  for (var e = 0u; e < ${share}u; e++) {
    let at = e * ${subgroup}u + own_lane;
    for (var i = 0u; i < ${k}u; i++) {
      values[e] = fma(of_Left(left, at / ${n}u, i), of_Right(right, i, at % ${n}u), values[e]);
    }
  }
  return values;
}
fn store_sums(first: u32, sum: Sum, stride: u32) {
  for (var e = 0u; e < ${share}u; e++) {
    let at = e * ${subgroup}u + own_lane;
    sums[first + (at / ${n}u) * stride + at % ${n}u] = sum[e];
  }
}
${text}`
  }
}

const written = new Map<WgslProgram, WgslProgram>()

const launchesWrittenOut: Launches = (tried) =>
  launchesOf(tried).map((launch) => {
    if (launch.program.directives === undefined) return launch
    const program = written.get(launch.program) ?? writtenOut(launch.program, tried.matrices)
    written.set(launch.program, program)
    return { ...launch, program }
  })

const eights = { m: 8, n: 8, k: 8, subgroup: 32 }
const byHand: readonly Case[] = turns.flatMap((turned, i) => [
  { ...turned, matrices: { ...eights, terms: 1 }, tile: 64, kind: kinds[i % 3]! },
  { ...turned, matrices: { ...eights, terms: 3 }, tile: 64, kind: kinds[(i + 1) % 3]! }
])
const larger: readonly Case[] = [
  { ...turns[1]!, matrices: { ...nvidia, terms: 1 }, tile: 128, kind: "f32" },
  { ...turns[2]!, matrices: { m: 16, n: 8, k: 16, subgroup: 64, terms: 3 }, tile: 64, kind: "f32" }
]

describe.skipIf(adapter instanceof Error)(
  `products by matrices that are written out as arrays${skipped(adapter)}`,
  { timeout: 600_000 },
  () => {
    it.each([...byHand, ...larger])(`equal the model: ${title("others")}`, async (tried) => {
      const y = await computed(adapter as Backend, tried, { launches: launchesWrittenOut })
      assert.isAtMost(missOf(y, tried), 2 ** -20)
    })

    it("give NaN for what is not finite, in its row and column alone", async () => {
      await checkSpecials(adapter as Backend, { ...byHand[1]!, sharedB: false, kind: "f32" }, launchesWrittenOut)
    })
  }
)
