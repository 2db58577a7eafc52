/** Products in WGSL with every tile, however the factors are stored: compiled on Dawn's null adapter, and computed where an adapter is there. */
import { GPU } from "gpu.js"
import { afterAll, assert, describe, it } from "vitest"
import { makeGpujsBackend } from "../../src/backends/gpujs/GpujsBackend.ts"
import { makeQueuedBackend } from "../../src/backends/gpujs/queuedBackend.ts"
import { productLaunch, tiles } from "../../src/backends/gpujs/webgpu/products.ts"
import { makeWebgpuDevice } from "../../src/backends/gpujs/webgpu/webgpuDevice.ts"
import { apply } from "../../src/core/apply.ts"
import { defineKernel } from "../../src/core/Kernel.ts"
import {
  type Backend,
  BackendUnavailable,
  makeReferenceBackend,
  Random,
  tensor,
  toBfloat16,
  toFloat16
} from "../../src/index.ts"
import { linearKernel } from "../../src/kernels/linear.ts"
import type { MatmulAttributes } from "../../src/kernels/matmul/geometry.ts"
import { reference } from "../../src/kernels/matmul/reference.ts"
import { openNullDevice, useNullGpu } from "./nullDevice.ts"

// An adapter, where there is one, is asked for before the null one takes its place.
const started = await makeGpujsBackend({ mode: "webgpu" }).catch((error: unknown) => {
  if (error instanceof BackendUnavailable) return error
  throw error
})
const reason = started instanceof Error ? `: skipped, ${started.message}` : ""
const adapter = started as Backend

useNullGpu()
const opened = await openNullDevice()
const nullBackend = makeQueuedBackend(makeWebgpuDevice(GPU, opened, { debug: false, wgsl: true }))
afterAll(async () => {
  await nullBackend.close()
  if (!(started instanceof Error)) await started.close()
})

// Every extent ends within a tile and within a step of 8 along k, which four slices cover unevenly.
const [batch, m, n, k] = [2, 131, 139, 53]

const kinds = ["f32", "bf16", "f16"] as const

const turned = tiles.flatMap((tile) =>
  [false, true].flatMap((transposeA) =>
    [false, true].flatMap((transposeB) =>
      // How b is stored makes no difference to a tile: one of them with each kind, the others with f32.
      kinds
        .slice(0, tile === tiles[0] ? 3 : 1)
        .map((kind) => ({ tile, kind, extent: tile.extent, transposeA, transposeB }))
    )
  )
)
type Case = (typeof turned)[number]

const kernelOf = ({ tile }: Case) =>
  defineKernel<"a" | "b" | "bias", "y", MatmulAttributes>({
    name: "product",
    inputs: { a: { dtypes: ["f32"] }, b: { dtypes: kinds }, bias: { dtypes: ["f32"] } },
    outputs: ["y"],
    infer: () => ({ y: { shape: [batch, m, n] } }),
    reference: ({ a, b, bias }, { y }, { inputs, outputs }, attributes, factor) => {
      reference({ a, b }, { y }, { inputs, outputs }, attributes, factor)
      for (let i = 0; i < y.length; i++) y[i]! += bias[i % n]!
    },
    gpujs: { programs: () => [] },
    webgpu: {
      launches: (_, { transposeA: turnsA, transposeB: turnsB }) => [
        productLaunch(
          {
            ...{ batch, m, n, k, turnsA, turnsB, sharedB: false },
            ...{ a: "a", b: "b", bias: "bias", y: { name: "y" } }
          },
          tile
        )
      ]
    },
    cost: () => ({ flops: 0, bytes: 0 }),
    samples: () => []
  })

const random = Random.make(5, "products")
const values = (count: number) => Float32Array.from({ length: count }, () => random.nextNormal())
const [a, b, bias] = [values(batch * m * k), values(batch * k * n), values(n)]

const storedAs = (backend: Backend, kind: Case["kind"], shape: readonly number[]) => {
  if (kind === "f32") return tensor(backend, b, shape)
  return tensor(backend, Uint16Array.from(b, kind === "bf16" ? toBfloat16 : toFloat16), shape, kind)
}

const computed = async (backend: Backend, tried: Case) => {
  const { transposeA, transposeB } = tried
  const operands = {
    a: tensor(backend, a, transposeA ? [batch, k, m] : [batch, m, k]),
    b: storedAs(backend, tried.kind, transposeB ? [batch, n, k] : [batch, k, n]),
    bias: tensor(backend, bias, [n])
  }
  return apply(kernelOf(tried), operands, { transposeA, transposeB }).y.read()
}

const title = "of $extent x $extent, b in $kind, a turned: $transposeA, b turned: $transposeB"

describe("tiles compile", () => {
  it.each(turned)(title, async (tried) => {
    await computed(nullBackend, tried)
  })
})

describe.skipIf(started instanceof Error)(`tiles equal the reference${reason}`, () => {
  it.each(turned)(title, async (tried) => {
    const expected = await computed(makeReferenceBackend(), tried)
    const actual = await computed(adapter, tried)
    for (let i = 0; i < expected.length; i++) {
      assert.closeTo(actual[i]!, expected[i]!, 1e-5 + 1e-5 * Math.abs(expected[i]!), `element ${i}`)
    }
  })
})

describe("the tile of a linear layer", () => {
  const launchOf = (x: readonly number[], width: number) => {
    const geometry = { inputs: { x, weight: [width, x.at(-1)!] }, outputs: { y: [...x.slice(0, -1), width] } }
    return linearKernel.webgpu!.launches(geometry as never, {})[0] as { readonly program: unknown }
  }

  it.each([
    [1025, 1024, 3072],
    [1025, 1024, 1024],
    [1025, 4096, 1024],
    [1024, 588, 1024],
    [256, 4096, 896],
    [17, 64, 192]
  ])("of %i rows, %i columns to %i is the same for 1, 2 and 16 pictures", (rows, columns, width) => {
    const [alone, ...others] = [1, 2, 16].map((count) => launchOf([count, rows, columns], width).program)
    for (const other of others) assert.strictEqual(other, alone)
  })

  it("of tokens of several answers is that of one matrix", () => {
    assert.strictEqual(launchOf([64, 1, 896], 4864).program, launchOf([64, 896], 4864).program)
  })
})
