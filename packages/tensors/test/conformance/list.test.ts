/** The list of kernels: complete, without duplicates, and with samples that look where kernels usually break. */
import { existsSync, readdirSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { type AnyKernel, kernels, sizeOf } from "../../src/index.ts"
import { samplesOf } from "./runSample.ts"

const folder = new URL("../../src/kernels/", import.meta.url)

/** The modules that define kernels: each file, and the definition of each folder that has one. */
const modules = readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
  if (!entry.isDirectory()) return entry.name === "list.ts" ? [] : [entry.name]
  const definition = `${entry.name}/definition.ts`
  return existsSync(new URL(definition, folder)) ? [definition] : []
})

const isKernel = (value: unknown): value is AnyKernel =>
  typeof value === "object" && value !== null && "infer" in value && "samples" in value

describe("the list of kernels", () => {
  it("holds every kernel of every module", async () => {
    const defined: string[] = []
    for (const path of modules) {
      const module: { readonly [name: string]: unknown } = await import(new URL(path, folder).href)
      defined.push(
        ...Object.values(module)
          .filter(isKernel)
          .map((kernel) => kernel.name)
      )
    }
    assert.sameMembers(
      kernels.map(({ name }) => name),
      defined
    )
  })

  it("holds every name once", () => {
    const names = kernels.map(({ name }) => name)
    assert.strictEqual(new Set(names).size, names.length)
  })
})

const largestOf = (kernel: AnyKernel): readonly number[] =>
  samplesOf(kernel).map(({ inputs }) => Math.max(...Object.values(inputs).map(({ shape }) => sizeOf(shape))))

describe.each(kernels.map((kernel) => [kernel.name, kernel] as const))("samples of %s", (name, kernel) => {
  const samples = samplesOf(kernel)
  const shapesOf = ({ inputs }: (typeof samples)[number]) =>
    Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape]))
  const extents = samples.flatMap((sample) => Object.values(shapesOf(sample)).flat())

  it("have different names and fit the kernel", () => {
    assert.strictEqual(new Set(samples.map(({ name }) => name)).size, samples.length)
    for (const sample of samples) {
      const { attributes } = sample
      const shapes = shapesOf(sample)
      const inferred = kernel.infer(shapes, attributes)
      assert.sameMembers(Object.keys(inferred), [...kernel.outputs])
      const outputs = Object.fromEntries(Object.entries(inferred).map(([name, { shape }]) => [name, shape]))
      const { flops, bytes } = kernel.cost({ inputs: shapes, outputs }, attributes)
      assert.isTrue(Number.isFinite(flops) && flops >= 0 && Number.isFinite(bytes) && bytes >= 0, "cost")
    }
  })

  // Of one number there is neither an odd extent, nor none, nor many.
  if (name === "clipFactor") return

  it("have odd extents, none at all, and many elements", () => {
    assert.isTrue(
      extents.some((extent) => extent > 4 && extent % 4 !== 0),
      "an extent above 4 that 4 does not divide"
    )
    const results = samples.flatMap((sample) =>
      Object.values(kernel.infer(shapesOf(sample), sample.attributes)).flatMap(({ shape }) => shape)
    )
    assert.includeMembers([...extents, ...results], [1, 3, 17])
    assert.include(extents, 0, "an empty operand")
    assert.isAtLeast(Math.max(...largestOf(kernel)), 2048, "a large operand")
  })
})
