/** What export formats say of the weights that they hold, FEATURES.md's table, is what their exports do. */
import { join } from "node:path"
import { type QuantizedLayer, quantizedLayers, releaseParameters } from "@speedq/exports"
import { openBackend } from "@speedq/tensors"
import { linearLayers } from "@speedq/vlm-model"
import { afterAll, assert, describe, it } from "vitest"
import { deploy, exportTo, openSource, temporary } from "../packages/exports/test/support/models.ts"
import { formats, samples } from "../scripts/features/holdings.ts"

const { directory: root, remove } = temporary("holdings")
const backend = await openBackend("native:none")
const of = (kind: QuantizedLayer["kind"]) =>
  samples.filter((sample) => sample.kind === kind).map(({ choice }) => choice)
const [linears, embeddings] = [of("linear"), of("embedding")]

/** Nano with the samples' quantizers in turn, as many as its shapes allow. */
const source = await openSource(backend)
const { config: modelConfig } = source.directory
const chosen = [...linearLayers(modelConfig)].flatMap(([layer, shape], at) => {
  const fitting = linears.filter(({ quantizer, config }) => quantizer.obstacle(config, shape) === undefined)
  return fitting.length === 0 ? [] : [[layer, fitting[at % fitting.length]!] as const]
})
const deployed = await deploy(source, new Map([...chosen, ["language_model.lm_head", embeddings[0]!] as const]), "bf16")
const layers = quantizedLayers(
  Array.from(deployed.packed, ([layer, { shape, choice }]) => ({ layer, shape, choice })),
  modelConfig
)

afterAll(async () => {
  deployed.release()
  releaseParameters(source.weights)
  await backend.close()
  remove()
})

describe("what a format says of the weights that it holds", () => {
  it("is asked of every sample", () => {
    const used = new Set(layers.map(({ choice }) => choice))
    assert.sameMembers([...used], [...linears, ...embeddings])
  })

  for (const { exporter, config } of formats) {
    it(`is what ${exporter.id} does`, async () => {
      const exported = await exportTo(join(root, exporter.id), exporter.id, source, deployed)
      const held = exporter.holds!(config, layers)
      const holdings = layers.map((layer, at) => ({ ...layer, ...held[at]! }))
      const as = (kind: "codes" | "numbers") => holdings.filter((held) => held.as === kind).map(({ layer }) => layer)
      const bound = Math.max(...holdings.map(({ relErr = Number.POSITIVE_INFINITY }) => relErr))
      assert.isAtMost(exported.relErr, bound)
      if (bound > 0) assert.isAbove(exported.relErr, 0)
      // A format without codes has nothing to fall back from.
      if (as("codes").length === 0) assert.isEmpty(exported.layersFallenBack)
      else assert.sameMembers([...exported.layersFallenBack], as("numbers"))
    })
  }
})
