/** Options as a user writes them; hover.test.ts looks at each. */
import {
  AdaRoundVit,
  Autoclip,
  bilevel,
  Evaluate,
  Export,
  embeddingSym4,
  flatAsymmetric,
  JointQat,
  n2f3,
  Qat,
  Recipe,
  rule,
  TrainProjector,
  uniform
} from "speedq"

const quantizers = [
  rule("**.down_proj", bilevel({ bits: 4, group: 32, scaleGroup: 128, secondLevel: "f16" }), { tower: "language" }),
  rule("**", uniform({ bits: 2, group: 16, range: "mse" })),
  rule("**", embeddingSym4({ grid: "absmax7" }), { layers: "embedding" }),
  rule("**", flatAsymmetric(2, { group: 64 })),
  rule("**", n2f3({ group: 64 }))
]

export const recipe = Recipe.make({ name: "hover", model: "model", seed: 1, save: { everySteps: 10 } })
export const stages = [
  AdaRoundVit.stage({ images: "images", quantizers, iterations: 100, cache: "1 GiB" }),
  TrainProjector.stage({ data: { meta: "datasets.json", percent: 1, quirks: { maskTokenZero: true } }, epochs: 2 }),
  Autoclip.stage({ calibration: { meta: "datasets.json", maxTiles: 1 }, quantizers, sampleTokens: 512 }),
  Qat.stage({
    data: { meta: "datasets.json" },
    batch: 2,
    featureCache: "1 GiB",
    quantizers: [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }],
    loss: { cakld: 1, mask: "shifted" },
    embeddings: { use: "n2f3", with: { group: 64 } }
  }),
  JointQat.stage({ data: { meta: "datasets.json" }, quantizers, maxNorm: 1, dropPath: 0 }),
  Export.stage({ format: "fake-quant", rest: "f16" }),
  Evaluate.stage({ title: "all", benchmarks: [{ name: "nano", data: "short.tsv", limit: 5 }], gallery: true })
]
