/** Quantizes a model to 2 bits in the stages of SPEED-Q. It is typed: a misspelt option, or a stage too early, does not compile. */
import {
  AdaRoundVit,
  Autoclip,
  bilevel,
  Evaluate,
  Export,
  Qat,
  Recipe,
  rule,
  shippedFile,
  TrainProjector
} from "speedq"

// The small model and data that come with speedq, so that it runs at once. Your own are paths: "models/InternVL3-1B", "data/train.json".
const nano = (file: string) => shippedFile(`data/nano/${file}`)
const data = { meta: nano("datasets.json") }

// The first rule that matches a layer decides. Each must decide some.
const twoBits = rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))
const fourBits = rule("**.down_proj", bilevel({ bits: 4, group: 32, scaleGroup: 128 }))

export const recipe = Recipe.make({ name: "my-model", model: nano("model"), seed: 7 }).pipe(
  Recipe.andThen(
    AdaRoundVit.stage({
      images: nano("calibration-images.txt"),
      count: 128,
      iterations: 100,
      learningRate: 0.05,
      quantizers: [twoBits]
    })
  ),
  Recipe.andThen(TrainProjector.stage({ data: { ...data, percent: 1 } })),
  Recipe.andThen(Autoclip.stage({ calibration: nano("calibration.jsonl"), quantizers: [fourBits, twoBits] })),
  Recipe.andThen(Qat.stage({ data: { ...data, percent: 10 }, quantizers: [fourBits, twoBits] })),
  Recipe.andThen(
    Evaluate.stage({ title: "2 bits", benchmarks: [{ name: "nano", data: nano("evaluation/short.tsv"), limit: 80 }] })
  ),
  Recipe.andThen(Export.stage({ format: "packed" }))
)
