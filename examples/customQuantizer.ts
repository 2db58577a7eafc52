/**
 * A custom quantizer: ternary. A weight is one of three levels, with a scale for either sign a group; at the levels below,
 * half of the group's extremes, a normally distributed group of some 64 weights loses least. A recipe gives it to the MLPs of the
 * language model, trains under it, and packs.
 *
 *   node --import tsx -C @speedq/source examples/customQuantizer.ts [MODEL] [RUN]
 *   speedq chat RUN/model/packed "What is this?" --image PICTURE --plugin examples/customQuantizer.ts
 */
import { fileURLToPath } from "node:url"
import { codebookCodes, codebookDecode, codebookParameters, fakeQuantCodebook, scope } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  bilevel,
  configure,
  definePlugin,
  Export,
  option,
  Qat,
  type Quantizer,
  Recipe,
  Run,
  rule,
  shippedFile
} from "speedq"

const TernaryConfig = Schema.Struct({
  group: option(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4096 })), 64, {
    description: "Input columns that share two scales."
  })
})
type TernaryConfig = typeof TernaryConfig.Type

const levels = [-0.5, 0, 0.5]

export const ternary: Quantizer<TernaryConfig> = {
  id: "ternary",
  // Raise it when stored numbers change their meaning: models that were packed before are then refused, not misread.
  version: 1,
  rowwise: true,
  Config: TernaryConfig,
  bitsPerWeight: ({ group }) => 2 + 64 / group,
  obstacle: ({ group }, [, columns = 0]) =>
    columns % group === 0 ? undefined : `${columns} input columns are not a multiple of group ${group}`,
  fakeQuantize: ({ group }, weight) => scope(() => fakeQuantCodebook(weight, { group, levels })),
  stored: ({ group }, shape) => {
    const groups = [shape[0]!, shape[1]! / group]
    return [
      { name: "codes", dtype: "u8", shape, bits: 2, meaning: "0, 1 or 2: below zero, zero, above" },
      { name: "negative", dtype: "f32", shape: groups, bits: 32, meaning: "scale of the level below zero" },
      { name: "positive", dtype: "f32", shape: groups, bits: 32, meaning: "scale of the level above zero" }
    ]
  },
  quantize: ({ group }, weight) =>
    scope(() => {
      const { negative, positive } = codebookParameters(weight, { group, levels })
      return { codes: codebookCodes(weight, negative, positive, { group, levels }), negative, positive }
    }),
  dequantize: ({ group }, { codes, negative, positive }) =>
    codebookDecode(codes!, negative!, positive!, { group, levels })
}

export const plugin = definePlugin({ name: "customQuantizer.ts", quantizers: [ternary] })

const main = (model = shippedFile("data/nano/model"), directory = "runs/custom-quantizer") => {
  const recipe = Recipe.make({ name: "ternary MLPs", model, seed: 7 }).pipe(
    Recipe.andThen(
      Qat.stage({
        data: { meta: shippedFile("data/nano/datasets.json"), percent: 1 },
        quantizers: [
          rule("**.mlp.*", configure(ternary, { group: 16 })),
          rule("**", bilevel({ bits: 4, group: 16, scaleGroup: 16 }))
        ],
        batch: 2,
        accumulation: 2,
        maxSteps: 3
      })
    ),
    Recipe.andThen(Export.stage({ format: "packed" }))
  )
  Run.main(
    Effect.gen(function* () {
      const { exported } = yield* Run.start(recipe, { directory, extensions: plugin })
      console.log(`${exported.directory}: ${exported.bitsPerWeight.toFixed(2)} bits per parameter`)
    })
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(...process.argv.slice(2))
