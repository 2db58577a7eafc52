/** The export "quant-details": the reference's names, read again to the same bits where the layout holds them, and told where not. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { allFilesOf, unpackAll } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import type { Parameters } from "@speedq/tensors"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { openReferenceModel } from "../src/reference/openReferenceModel.ts"
import { makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("quant-details", runs)

const { adaround, qat } = shortStages
const formats = ["quant-details", "packed", "fake-quant"].map((format) => ({
  use: "export",
  format,
  rest: "f32",
  ...(format === "fake-quant" ? { with: { dtype: "f32" } } : {})
}))

let directories = 0
const run = async (settings: object, quantizers: ReadonlyArray<object>) => {
  const directory = join(root, `run-${directories++}`)
  const stages = [
    { ...adaround, iterations: 2, quantizers: quantizers.slice(-1) },
    { ...qat, maxSteps: 2, quantizers },
    ...formats
  ]
  const { exit } = await runs.run({ version: 1, name: "details", model, seed: 3, ...settings, stages }, directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  const details = join(directory, "model/quant-details")
  return {
    details,
    description: JSON.parse(readFileSync(join(details, "quantization.json"), "utf8")),
    again: await numbersOf(details),
    exact: floatsOf(join(directory, "model/fake-quant-f32/model.safetensors"))
  }
}

type Numbers = ReadonlyMap<string, Float32Array>

/** Every number of a model as the reader of the reference's files gives it. */
const numbersOf = (directory: string): Promise<Numbers> =>
  runs.runtime.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { deployed } = yield* openReferenceModel(directory)
        return yield* Effect.promise(async () => {
          const unpacked = unpackAll(deployed.packed)
          const all: Parameters = { ...deployed.others, ...unpacked }
          const numbers = new Map<string, Float32Array>()
          for (const [name, tensor] of Object.entries(all)) numbers.set(name, Float32Array.from(await tensor.read()))
          for (const tensor of Object.values(unpacked)) tensor.release()
          return numbers
        })
      })
    )
  )

const floatsOf = (file: string): Numbers => {
  const store = Safetensors.openSync(file)
  const bytes = (name: string) => Uint8Array.from(store.read(name)).buffer
  const numbers = new Map([...store.tensors.keys()].map((name) => [name, new Float32Array(bytes(name))]))
  store.close()
  return numbers
}

const largestDifference = (a: Numbers, b: Numbers): number => {
  assert.sameMembers([...a.keys()], [...b.keys()])
  let largest = 0
  for (const [name, values] of a) {
    const others = b.get(name)!
    for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]! - others[i]!))
  }
  return largest
}

const bilevel = (more: object = {}) => ({
  match: "**",
  use: "bilevel",
  with: { bits: 2, group: 16, scaleGroup: 16, ...more }
})

describe("the export quant-details", () => {
  it("is read again to the same bits where scales are stored as the reference stores them", async () => {
    const { details, description, again, exact } = await run({ compat: "reference" }, [bilevel()])
    assert.deepInclude(description, { exact: true, maxAbsErr: 0, layersFallenBack: [] })
    assert.strictEqual(largestDifference(again, exact), 0)
    const files = allFilesOf(join(details, "quant_details"))
    // The names of the reference's own files, in its numbering: the tower's blocks follow the decoder's layers.
    for (const name of [
      "embed_tokens/embed_tokens",
      "lm_head/lm_head",
      "0/self_attn.q_proj",
      "0/mlp.down_proj",
      "5/attn.qkv"
    ]) {
      assert.include(files, `${name}.safetensors`)
    }
    const linear = Safetensors.openSync(join(details, "quant_details/0/mlp.up_proj.safetensors"))
    assert.sameDeepMembers(
      [...linear.tensors].map(([name, { dtype, shape }]) => [name, dtype, shape[1]]),
      [
        ["quant_weights", "I8", 16],
        ["quant_layer_scale", "I8", 16],
        ["quant_layer_zeros", "I8", 1],
        ["quant_layer_scale_qq_scale", "F32", 1],
        ["quant_layer_scale_qq_zero", "F32", 1]
      ]
    )
    linear.close()
  })

  it("says how far it is from scales in half precision, which the layout does not have", async () => {
    const { description, again, exact } = await run({}, [bilevel()])
    assert.isFalse(description.exact)
    assert.isBelow(description.maxAbsErr, 1e-6)
    assert.strictEqual(largestDifference(again, exact), description.maxAbsErr)
  })

  it("holds layers of other quantizers as numbers, and names them", async () => {
    const uniform = { match: "**.up_proj", use: "uniform", with: { bits: 4, group: 16 } }
    const { description, again, exact } = await run({ compat: "reference" }, [uniform, bilevel()])
    assert.isTrue(description.exact)
    assert.strictEqual(largestDifference(again, exact), 0)
    assert.isAbove(description.layersFallenBack.length, 0)
    assert.isTrue(description.layersFallenBack.every((layer: string) => layer.endsWith(".mlp.up_proj")))
  })
})
