/** What export formats say of the weights that they hold, FEATURES.md's table, is what their exports do. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { deployModel, type QuantizedLayer, quantizedLayers, releaseParameters, writeExport } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import { openBackend } from "@speedq/tensors"
import { linearLayers, loadWeights, modelTensors, openModelDirectory, resolveNames } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { formats, samples } from "../scripts/features/holdings.ts"

const nano = new URL("../data/nano/model", import.meta.url).pathname
const root = mkdtempSync(join(tmpdir(), "speedq-holdings-"))
const backend = await openBackend("native:none")
afterAll(async () => {
  await backend.close()
  rmSync(root, { recursive: true, force: true })
})

const of = (kind: QuantizedLayer["kind"]) =>
  samples.filter((sample) => sample.kind === kind).map(({ choice }) => choice)
const [linears, embeddings] = [of("linear"), of("embedding")]

/** Nano with the samples' quantizers in turn, as many as its shapes allow. */
const quantized = Effect.gen(function* () {
  const directory = yield* openModelDirectory(nano)
  const { store } = yield* Safetensors.openModel(nano)
  const weights = yield* Effect.acquireRelease(
    Effect.sync(() => loadWeights(backend, directory.config, store)),
    (loaded) => Effect.sync(() => releaseParameters(loaded))
  )
  const { pieces: stored } = resolveNames(modelTensors(directory.config).keys(), store.tensors.keys())
  const chosen = [...linearLayers(directory.config)].flatMap(([layer, shape], at) => {
    const fitting = linears.filter(({ quantizer, config }) => quantizer.obstacle(config, shape) === undefined)
    return fitting.length === 0 ? [] : [[layer, fitting[at % fitting.length]!] as const]
  })
  const nearest = new Map([...chosen, ["language_model.lm_head", embeddings[0]!] as const])
  const source = { directory, weights, stored }
  const deployed = yield* Effect.acquireRelease(
    Effect.promise(() => deployModel(source, {}, { rest: "bf16", nearest })),
    ({ release }) => Effect.sync(release)
  )
  const layers = quantizedLayers(
    Array.from(deployed.packed, ([layer, { shape, choice }]) => ({ layer, shape, choice })),
    directory.config
  )
  return { source, deployed, layers }
})

describe("what a format says of the weights that it holds", () => {
  it("is asked of every sample", () =>
    Effect.gen(function* () {
      const { layers } = yield* quantized
      const used = new Set(layers.map(({ choice }) => choice))
      assert.sameMembers([...used], [...linears, ...embeddings])
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer), Effect.runPromise))

  for (const choice of formats) {
    const { exporter, config } = choice
    it(`is what ${exporter.id} does`, () =>
      Effect.gen(function* () {
        const { source, deployed, layers } = yield* quantized
        const request = { source, deployed, directory: join(root, exporter.id), recipe: "samples" }
        const { exported } = yield* writeExport(choice, request)
        const held = exporter.holds!(config, layers)
        const holdings = layers.map((layer, at) => ({ ...layer, ...held[at]! }))
        const as = (kind: "codes" | "numbers") => holdings.filter((held) => held.as === kind).map(({ layer }) => layer)
        const bound = Math.max(...holdings.map(({ relErr = Number.POSITIVE_INFINITY }) => relErr))
        assert.isAtMost(exported.relErr, bound)
        if (bound > 0) assert.isAbove(exported.relErr, 0)
        // A format without codes has nothing to fall back from.
        if (as("codes").length === 0) assert.isEmpty(exported.layersFallenBack)
        else assert.sameMembers([...exported.layersFallenBack], as("numbers"))
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer), Effect.runPromise))
  }
})
