/** Kernels' own WGSL beside their GPU.js programs: what the device makes of it, over Dawn's null adapter. */
import { GPU } from "gpu.js"
import { afterAll, assert, describe, it } from "vitest"
import { makeQueuedBackend } from "../../src/backends/gpujs/queuedBackend.ts"
import type { WebgpuBody, WgslProgram } from "../../src/backends/gpujs/webgpu/WebgpuBody.ts"
import { inRows } from "../../src/backends/gpujs/webgpu/WebgpuBody.ts"
import { makeWebgpuDevice } from "../../src/backends/gpujs/webgpu/webgpuDevice.ts"
import { elementwise, workgroupsOfElements } from "../../src/backends/gpujs/webgpu/wgslText.ts"
import { apply } from "../../src/core/apply.ts"
import { defineKernel } from "../../src/core/Kernel.ts"
import {
  type AnyKernel,
  adamStep,
  kernels,
  type Shape,
  scaleRows,
  sizeOf,
  tensor,
  UnsupportedKernel,
  zeros
} from "../../src/index.ts"
import { attentionGradientKernel, attentionKernel } from "../../src/kernels/attention/definition.ts"
import { runSample, samplesOf } from "../conformance/runSample.ts"
import { openNullDevice, useNullGpu } from "./nullDevice.ts"

useNullGpu()

const closing: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closing) await close()
})

const start = async () => {
  const opened = await openNullDevice()
  const device = makeWebgpuDevice(GPU, opened, { debug: false, wgsl: true })
  const backend = makeQueuedBackend(device)
  closing.push(backend.close)
  return { backend, device, calls: opened.calls }
}

const addTo: WgslProgram = {
  reads: ["x"],
  writes: ["total"],
  whole: ["size"],
  text: elementwise("  total[i] += x[i];")
}

/** total += x by this body. */
const adding = (webgpu: WebgpuBody<"x" | "total", never>) =>
  defineKernel<"x" | "total", never, object>({
    name: "adding",
    inputs: { x: { dtypes: ["f32"] }, total: { dtypes: ["f32"], updated: true } },
    outputs: [],
    infer: () => ({}),
    reference: ({ x, total }) => total.set(total.map((value, i) => value + x[i]!)),
    gpujs: { programs: () => [] },
    webgpu,
    cost: () => ({ flops: 0, bytes: 0 }),
    samples: () => []
  })

const launch = {
  program: addTo,
  reads: ["x"],
  writes: [{ name: "total" }],
  whole: [2],
  workgroups: workgroupsOfElements(2)
} as const

const failureOf = async (webgpu: WebgpuBody<"x" | "total", never>): Promise<unknown> => {
  const { backend } = await start()
  const [x, total] = [tensor(backend, [1, 2], [2]), tensor(backend, [3, 4], [2])]
  apply(adding(webgpu), { x, total }, {})
  return total.read().then(
    () => undefined,
    (error: unknown) => error
  )
}

describe("a launch", () => {
  it("writes updated operands in place, all of one step in one launch", async () => {
    const { backend, device, calls } = await start()
    const make = () => tensor(backend, [1, 2, 3], [3])
    const operands = { parameter: make(), m: make(), v: make(), gradient: make() }
    const attributes = { learningRate: 1, beta1: 0, beta2: 0, epsilon: 1, weightDecay: 0, decoupled: true, step: 1 }
    const before = device.usage()
    for (let i = 0; i < 3; i++) {
      adamStep(operands, attributes)
      await operands.parameter.read()
    }
    assert.deepEqual(device.usage(), before, "no storage but the operands'")
    assert.strictEqual(calls.bindGroups, 1)
  })

  it("reads an operand that it also writes from a copy", async () => {
    const { backend, device } = await start()
    const total = tensor(backend, [1, 2], [2])
    const before = device.usage()
    apply(adding({ launches: () => [launch] }), { x: total, total }, {})
    await total.read()
    assert.strictEqual(device.usage().bytes, before.bytes, "the copy is given back")
  })

  it("without workgroups does nothing, and what it would have written reads as zeros", async () => {
    const { backend } = await start()
    const x = tensor(backend, [], [0])
    const intermediate = { ...launch, writes: [{ name: "between", size: 1 }], workgroups: inRows(0) }
    const after = { ...launch, reads: ["between"] }
    const total = tensor(backend, [1, 2], [2])
    apply(adding({ launches: () => [intermediate, after] }), { x, total }, {})
    await total.read()
  })

  it("takes a row of more elements than GPU.js's program has threads along an axis", async () => {
    const { backend } = await start()
    const x = zeros(backend, [1, 2 ** 20])
    await scaleRows(x, tensor(backend, [2], [1])).read()
  })

  it("says what the compiler has against a text, with its line", async () => {
    const program = { ...addTo, text: elementwise("  total[i] += missing;") }
    const error = await failureOf({ launches: () => [{ ...launch, program }] })
    assert.instanceOf(error, UnsupportedKernel)
    assert.match(String(error), /adding: .*WGSL that does not compile: \d+:\d+ unresolved value 'missing'/)
  })

  it("says when its numbers are not those that the text names", async () => {
    const error = await failureOf({ launches: () => [{ ...launch, real: [1] }] })
    assert.instanceOf(error, UnsupportedKernel)
    assert.match(String(error), /its text names 1, 1, 1, 0 operands, results.*the launch gives 1, 1, 1, 1/)
  })
})

const launchesOf = (kernel: AnyKernel) =>
  samplesOf(kernel).map(({ inputs: operands, attributes }) => {
    const inputs: { [name: string]: Shape } = {}
    for (const [name, { shape }] of Object.entries(operands)) inputs[name] = shape
    const inferred = kernel.infer(inputs, attributes)
    const outputs = Object.fromEntries(kernel.outputs.map((name) => [name, inferred[name]!.shape]))
    const geometry = { inputs, outputs }
    return {
      own: kernel.webgpu!.launches(geometry, attributes),
      programs: kernel.gpujs!.programs(geometry, attributes),
      /** Whether there is nothing to compute, of which there may be no program. */
      empty: Object.values(inputs).some((shape) => sizeOf(shape) === 0)
    }
  })

describe.each(kernels.filter(({ webgpu }) => webgpu !== undefined).map((kernel) => [kernel.name, kernel] as const))(
  "WGSL of %s",
  (_, kernel) => {
    it("takes fewer launches than its GPU.js programs, or as many, and storage buffers that every device has", () => {
      for (const { own, programs, empty } of launchesOf(kernel)) {
        if (!empty) assert.isAtMost(own.length, programs.length)
        for (const step of own) {
          if ("program" in step) assert.isAtMost(step.program.reads.length + step.program.writes.length, 8)
        }
      }
    })

    it("leaves nothing alive", async () => {
      const { backend, device } = await start()
      const runAll = async () => {
        for (const sample of samplesOf(kernel)) await runSample(backend, kernel, sample)
      }
      // A compiled GPU.js program keeps its tables.
      await runAll()
      const before = device.usage()
      await runAll()
      const { buffers, bytes } = device.usage()
      assert.deepEqual({ buffers, bytes }, { buffers: before.buffers, bytes: before.bytes })
    })

    it("is the same text for the same call: it is compiled once", () => {
      const texts = () =>
        launchesOf(kernel).flatMap(({ own }) => own.map((step) => ("program" in step ? step.program : 0)))
      const first = texts()
      for (const [i, program] of texts().entries()) assert.strictEqual(program, first[i])
    })
  }
)

describe("attention", () => {
  it("has no matrix of queries and keys, forward or back", () => {
    const [batch, length, heads, groups, width] = [2, 2048, 14, 2, 64]
    const [q, k, logSumExp] = [
      [batch, length, heads, width],
      [batch, length, groups, width],
      [batch, heads, length]
    ]
    const attributes = { causal: true, scale: 0.125 }
    const forward = attentionKernel.webgpu!.launches(
      { inputs: { q, k, v: k } as never, outputs: { y: q, logSumExp } },
      attributes
    )
    const backward = attentionGradientKernel.webgpu!.launches(
      { inputs: { q, k, v: k, y: q, logSumExp, dy: q } as never, outputs: { dq: q, dk: k, dv: k } },
      attributes
    )
    const sizes = [...forward, ...backward].flatMap((step) => {
      assert.isTrue("program" in step, "no GPU.js program, which would store scores")
      return "program" in step ? step.writes.map(({ size = 0 }) => size) : []
    })
    assert.strictEqual(Math.max(...sizes), 2 * batch * heads * length)
  })
})

describe("workgroups in rows", () => {
  it.each([0, 1, 65535, 65536, 1_000_003])("cover %d, with less than a row more", (count) => {
    const [across, rows, layers] = inRows(count)
    assert.isAtMost(Math.max(across, rows), 65535)
    const covered = sizeOf([across, rows, layers])
    assert.isAtLeast(covered, count)
    assert.isBelow(covered - count, Math.max(1, rows))
  })
})
