/** The nano model, quantized to nearest, as a packed directory and as a page. */
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { type DeployedModel, packedExporter, releaseParameters, type SourceModel, writeExports } from "@speedq/exports"
import { bilevel, embeddingSym4, type QuantizerChoice } from "@speedq/quantizers"
import type { Backend } from "@speedq/tensors"
import { embeddingAndHead, linearLayers, type ModelConfig } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { deploy, openSource } from "../../../exports/test/support/models.ts"
import { webExporter } from "../../src/index.ts"

export interface Site {
  readonly packed: string
  readonly web: string
  readonly source: SourceModel
  readonly deployed: DeployedModel
  readonly release: () => void
}

/** Linear layers at 4 bits, some at 2, one as it is; embedding and head at 4. */
export const choices = (config: ModelConfig): ReadonlyMap<string, QuantizerChoice> => {
  const [twoBits, fourBits] = ([2, 4] as const).map((bits) => bilevel({ bits, group: 16, scaleGroup: 16 }))
  const layers = [...linearLayers(config).keys()].filter((layer) => layer !== "mlp1.1")
  return new Map<string, QuantizerChoice>([
    ...layers.map((layer) => [layer, layer.endsWith("v_proj") ? twoBits! : fourBits!] as const),
    ...embeddingAndHead(config.llm_config).map((layer) => [layer, embeddingSym4({ group: 32 })] as const)
  ])
}

/** Linear layers at 2 bits; embedding and head at 4. */
export const twoBits = (config: ModelConfig): ReadonlyMap<string, QuantizerChoice> => {
  const choice = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
  return new Map<string, QuantizerChoice>([
    ...[...linearLayers(config).keys()].map((layer) => [layer, choice] as const),
    ...embeddingAndHead(config.llm_config).map((layer) => [layer, embeddingSym4({ group: 32 })] as const)
  ])
}

interface SiteOptions {
  /** Directory of the model; nano unless said otherwise. */
  readonly from?: string
  readonly name?: string
  readonly choose?: typeof choices
}

/** Writes both below a directory; the model is the caller's. */
export const writeSite = async (
  directory: string,
  backend: Backend,
  { from, name = "nano", choose = choices }: SiteOptions = {}
): Promise<Site> => {
  const source = await openSource(backend, from)
  const deployed = await deploy(source, choose(source.directory.config), "bf16")
  const [packed, web] = [join(directory, "packed"), join(directory, "web")]
  await writeExports(
    [
      { choice: { exporter: packedExporter, config: {} }, directory: packed },
      { choice: { exporter: webExporter, config: { name } }, directory: web }
    ],
    { source, deployed, recipe: "test" }
  ).pipe(Effect.provide(NodeServices.layer), Effect.runPromise)
  const release = () => {
    deployed.release()
    releaseParameters(source.weights)
  }
  return { packed, web, source, deployed, release }
}
