/** Memory of an export: beside the model it takes one layer at most, however large the embedding is. */
import { join } from "node:path"
import { embeddingSym4, type QuantizerChoice, uniform } from "@speedq/quantizers"
import { type Backend, openBackend, sizeOf } from "@speedq/tensors"
import { embeddingAndHead, linearLayers, modelTensors, randomWeights } from "@speedq/vlm-model"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type DeployedModel, exporters, releaseParameters, type SourceModel } from "../src/index.ts"
import { deploy, exportTo, openSource, temporary } from "./support/models.ts"

/** A backend that says how many bytes its tensors took at most since it was last asked. */
const counting = (backend: Backend) => {
  let [live, peak] = [0, 0]
  const counted: Backend = {
    ...backend,
    allocate: (spec, options) => {
      const handle = backend.allocate(spec, options)
      live += handle.bytes
      peak = Math.max(peak, live)
      return handle
    },
    release: (handle) => {
      live -= handle.bytes
      backend.release(handle)
    }
  }
  /** Bytes above those that are there now. */
  const above = async (work: () => Promise<unknown>): Promise<number> => {
    const before = live
    peak = live
    await work()
    return peak - before
  }
  return { backend: counted, above }
}

const files = temporary("export-memory")
const { backend, above } = counting(await openBackend("native:none"))
const fourBits = uniform({ bits: 4, group: 32 })

/** nano with a vocabulary so large that its embedding and its head are nearly all of it. */
const openWide = async (): Promise<SourceModel> => {
  const { weights, ...opened } = await openSource(backend)
  releaseParameters(weights)
  const { config } = opened.directory
  const wide = { ...config, llm_config: { ...config.llm_config, vocab_size: 2 ** 17 } }
  const random = randomWeights(backend, wide, { seed: 3, spread: "fan-in", layerScale: 1 })
  return { ...opened, directory: { ...opened.directory, config: wide }, weights: random }
}

let source: SourceModel
/** Bytes of the largest layer in f32. */
let layer: number
beforeAll(async () => {
  source = await openWide()
  layer = 4 * Math.max(...[...modelTensors(source.directory.config).values()].map(sizeOf))
})
afterAll(async () => {
  releaseParameters(source.weights)
  assert.strictEqual(backend.usage().buffers, 0)
  await backend.close()
  files.remove()
})

const choicesOf = (embedding: QuantizerChoice | undefined): ReadonlyMap<string, QuantizerChoice> => {
  const { config } = source.directory
  const linears = [...linearLayers(config).keys()].map((name) => [name, fourBits] as const)
  const embeddings = embedding ? embeddingAndHead(config.llm_config).map((name) => [name, embedding] as const) : []
  return new Map([...linears, ...embeddings])
}

describe.each<readonly [string, QuantizerChoice | undefined]>([
  ["a quantized embedding", embeddingSym4()],
  ["an embedding in bf16", undefined]
])("with %s", (name, embedding) => {
  let deployed: DeployedModel
  let quantizing: number
  beforeAll(async () => {
    quantizing = await above(async () => {
      deployed = await deploy(source, choicesOf(embedding), "bf16")
    })
  })
  afterAll(() => deployed.release())

  it("the model is quantized within one layer beside the quantized one", () => {
    const held = [...deployed.packed.values()].reduce((sum, { bytes }) => sum + bytes, 0)
    const numbers = Object.values(deployed.others).reduce((sum, { storage }) => sum + storage.handle.bytes, 0)
    assert.isAtMost(quantizing, held + numbers + layer)
  })

  // quant-details has a place for bilevel weights alone.
  it.each(exporters.filter(({ id }) => id !== "quant-details").map(({ id }) => id))(
    "%s takes one at most",
    async (id) => {
      const out = join(files.directory, name, id)
      assert.isAtMost(await above(() => exportTo(out, id, source, deployed)), layer)
    }
  )
})
