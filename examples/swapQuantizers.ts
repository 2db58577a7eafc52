/**
 * Other quantizers for some layers: the same recipe with 2 bits everywhere, and with 4 bits where it hurts most and 3-bit normal
 * floats in one block. Prints what the Linears of two blocks got, and what the whole model takes.
 *
 *   node --import tsx -C @speedq/source examples/swapQuantizers.ts [MODEL] [RUNS]
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { descriptionName } from "@speedq/exports"
import * as Effect from "effect/Effect"
import { bilevel, Export, n2f3, Qat, Recipe, type RuleInput, Run, rule, shippedFile } from "speedq"

const [model = shippedFile("data/nano/model"), directory = "runs/swap-quantizers"] = process.argv.slice(2)

const twoBits = rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))
// The first rule that matches decides: globs over the checkpoint's own names, or /regular expressions/.
const mixed = [
  rule("**.down_proj", bilevel({ bits: 4, group: 32, scaleGroup: 128 })),
  rule("/layers\\.0\\.self_attn\\.[qkvo]_proj$/", n2f3({ group: 64 })),
  twoBits
]

const recipe = (name: string, quantizers: readonly RuleInput[]) => {
  const data = { meta: shippedFile("data/nano/datasets.json"), percent: 1 }
  return Recipe.make({ name, model, seed: 7 }).pipe(
    Recipe.andThen(Qat.stage({ data, quantizers, batch: 2, accumulation: 2, maxSteps: 2 })),
    Recipe.andThen(Export.stage({ format: "packed" }))
  )
}

/** What quantization.json says of a layer. */
interface Described {
  readonly use: string
  readonly bits: number
}

const runOne = Effect.fnUntraced(function* (name: string, quantizers: readonly RuleInput[]) {
  const { exported } = yield* Run.start(recipe(name, quantizers), { directory: join(directory, name) })
  console.log(`${name}: ${exported.bytes} bytes, ${exported.bitsPerWeight.toFixed(2)} bits per parameter`)
  const file = join(directory, name, exported.directory, descriptionName)
  const { layers } = JSON.parse(readFileSync(file, "utf8")) as { readonly layers: Readonly<Record<string, Described>> }
  const block = /^language_model\.model\.layers\.([01])\./
  for (const [layer, { use, bits }] of Object.entries(layers)) {
    if (block.test(layer)) console.log(`  ${layer}: ${use}, ${bits} bits`)
  }
})

Run.main(Effect.andThen(runOne("two-bits", [twoBits]), runOne("mixed", mixed)))
