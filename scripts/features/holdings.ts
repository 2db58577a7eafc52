/** Which export format holds which quantizer's weights, and how: the table in FEATURES.md, from the registries. */
import { decodeExport, type ExportChoice, exporters, type Holding, type QuantizedLayer } from "@speedq/exports"
import { decodeChoice, quantizers } from "@speedq/quantizers"

/** Options of each quantizer that formats tell apart. `none` leaves weights as they are. */
const optionsOf: { readonly [quantizer: string]: readonly object[] } = {
  bilevel: [
    { bits: 2, group: 16, scaleGroup: 16 },
    { bits: 3, group: 32, scaleGroup: 16 },
    { bits: 4, group: 32, scaleGroup: 128 }
  ],
  uniform: [
    { bits: 2, group: 64, symmetric: true },
    { bits: 3, group: 32 },
    { bits: 4, group: 32 },
    { bits: 4, group: 32, symmetric: true },
    { bits: 8, group: 128 }
  ],
  "int2-asym": [{ group: 64 }],
  "int3-asym": [{ group: 64 }],
  n2f3: [{ group: 64 }],
  "embedding-sym4": [{}]
}

/** Layers of the shapes that real models have; a quantizer of embeddings has one. */
export const samples: readonly QuantizedLayer[] = quantizers
  .filter(({ id }) => id !== "none")
  .flatMap(({ id }) => {
    const options = optionsOf[id]
    if (options === undefined) throw new Error(`scripts/features/holdings.ts has no options of the quantizer "${id}"`)
    return options.map(
      (written): QuantizedLayer => ({
        layer: id === "embedding-sym4" ? "language_model.lm_head" : "language_model.model.layers.0.mlp.up_proj",
        kind: id === "embedding-sym4" ? "embedding" : "linear",
        shape: [1024, 1024],
        choice: decodeChoice({ use: id, with: written })
      })
    )
  })

/** 0.00390625 as 2^-8. */
const power = (error: number): string => `2^${Math.log2(error)}`

const described = ({ as, relErr }: Holding): string => {
  const error = relErr === undefined ? "lossy" : relErr === 0 ? "exact" : `near (${power(relErr)})`
  return as === "codes" ? error : `as numbers, ${error}`
}

const optionsText = (options: object): string =>
  Object.entries(options)
    .map(([name, value]) => `${name} ${value}`)
    .join(", ")

/** Formats that say how they hold weights, as they are by default. */
export const formats: readonly ExportChoice[] = exporters
  .filter(({ holds }) => holds !== undefined)
  .map(({ id }) => decodeExport({ format: id }))

/** Head and rows of the table. */
export const holdingsTable = (): readonly (readonly string[])[] => [
  ["quantizer", ...formats.map(({ exporter }) => exporter.id)],
  ...samples.map((layer) => [
    [layer.choice.quantizer.id, optionsText(layer.choice.written ?? {})].filter((text) => text !== "").join(": "),
    ...formats.map(({ exporter, config }) => described(exporter.holds!(config, [layer])[0]!))
  ])
]
