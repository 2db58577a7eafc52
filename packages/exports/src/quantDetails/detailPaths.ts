/** Where the reference's layout keeps the codes of a layer: layers are numbered through, those of the language model first. */
import { bilevelQuantizer, embeddingSym4Quantizer, type PackedWeights } from "@speedq/quantizers"
import { embeddingAndHead, type ModelConfig } from "@speedq/vlm-model"
import type { QuantizedLayer } from "../exporter/Holding.ts"

const inDecoder = /^language_model\.model\.layers\.(\d+)\.(.+)$/
const inTower = /^vision_model\.encoder\.layers\.(\d+)\.(.+)$/

/** Paths of embedding and head, whatever the model calls them. */
export const embeddingPaths = ({ llm_config }: ModelConfig): ReadonlyMap<string, string> =>
  new Map(
    embeddingAndHead(llm_config).map((layer, at) => [layer, ["embed_tokens/embed_tokens", "lm_head/lm_head"][at]!])
  )

/** Whether the layout has a form for a layer. */
export const hasDetailPath = ({ layer, kind, choice: { quantizer } }: QuantizedLayer): boolean =>
  kind === "embedding"
    ? quantizer.id === embeddingSym4Quantizer.id
    : quantizer.id === bilevelQuantizer.id && (inDecoder.test(layer) || inTower.test(layer))

/** Path of every layer that the layout has a form for, without ending: bilevel Linears of both towers, embedding and head. */
export const detailPaths = (packed: PackedWeights, config: ModelConfig): ReadonlyMap<string, string> => {
  const embeddings = embeddingPaths(config)
  const usedBy = (id: string) =>
    [...packed].filter(([, { choice }]) => choice.quantizer.id === id).map(([layer]) => layer)
  const linears = usedBy(bilevelQuantizer.id)
  const before = linears.some((layer) => inDecoder.test(layer)) ? config.llm_config.num_hidden_layers : 0
  const pathOf = (layer: string): string | undefined => {
    const [, index, module] = inDecoder.exec(layer) ?? []
    if (module !== undefined) return `${index}/${module}`
    const [, block, part] = inTower.exec(layer) ?? []
    return part === undefined ? undefined : `${before + Number(block)}/${part}`
  }
  const paths = [
    ...usedBy(embeddingSym4Quantizer.id).map((layer) => [layer, embeddings.get(layer)] as const),
    ...linears.map((layer) => [layer, pathOf(layer)] as const)
  ]
  return new Map(paths.flatMap(([layer, path]) => (path === undefined ? [] : [[layer, path] as const])))
}
