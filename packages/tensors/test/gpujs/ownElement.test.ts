/** Of what has its output's own name a program reads the element that it computes and no other: results take its place. */
import { assert, describe, it } from "vitest"
import type { GpujsProgram } from "../../src/backends/gpujs/GpujsBody.ts"
import { type AnyKernel, kernels, type Shape, sizeOf } from "../../src/index.ts"
import { samplesOf } from "../conformance/runSample.ts"

const programsOf = (kernel: AnyKernel) =>
  samplesOf(kernel).flatMap(({ inputs: operands, attributes }) => {
    const inputs: { [name: string]: Shape } = {}
    for (const [name, { shape }] of Object.entries(operands)) inputs[name] = shape
    const inferred = kernel.infer(inputs, attributes)
    const outputs = Object.fromEntries(kernel.outputs.map((name) => [name, inferred[name]!.shape]))
    return kernel.gpujs!.programs({ inputs, outputs }, attributes)
  })

/** Indices that one thread reads of the operand of the output's name. */
const indicesRead = (
  { compute, output, reads, scalars = [], constants, sizes, tables }: GpujsProgram,
  thread: { readonly x: number; readonly y: number; readonly z: number }
): readonly number[] => {
  const found: number[] = []
  const operand = (name: string) =>
    new Proxy(
      {},
      {
        get: (_, index) => {
          if (name === output) found.push(Number(index))
          return 0.5
        }
      }
    )
  const run = compute as unknown as (this: object, ...parameters: unknown[]) => number
  run.call({ thread, constants: { ...constants, ...sizes, ...tables } }, ...reads.map(operand), ...scalars)
  return found
}

const updating = kernels.flatMap((kernel) =>
  programsOf(kernel)
    .filter(({ reads, output, extent }) => reads.includes(output) && sizeOf(extent) > 0)
    .map((program) => [kernel.name, program.output, program] as const)
)

describe("programs that read what they write", () => {
  it("are there", () => assert.isAbove(updating.length, 20))

  it.each(updating)("%s: %s", (_, output, program) => {
    const [x = 1, y = 1, z = 1] = program.extent
    assert.strictEqual(program.reads.indexOf(output), program.reads.lastIndexOf(output), "named once")
    for (const thread of [
      { x: 0, y: 0, z: 0 },
      { x: x - 1, y: 0, z: z >> 1 },
      { x: x >> 1, y: y - 1, z: z - 1 }
    ]) {
      const own = thread.x + x * (thread.y + y * thread.z)
      for (const index of indicesRead(program, thread)) assert.strictEqual(index, own, JSON.stringify(thread))
    }
  })
})
