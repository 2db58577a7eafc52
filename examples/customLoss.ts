/**
 * A custom loss: cross entropy of the first tokens of an answer, which decide what a short answer says. A recipe adds it to
 * the two of SPEED-Q; its part stands beside theirs in events and charts.
 *
 *   node --import tsx -C @speedq/source examples/customLoss.ts [MODEL] [RUN]
 */
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import {
  bilevel,
  crossEntropy,
  definePlugin,
  type Entry,
  isEntryOf,
  type Loss,
  option,
  Qat,
  Recipe,
  Run,
  RunEvents,
  rule,
  shippedFile
} from "speedq"

const OpeningConfig = Schema.Struct({
  tokens: option(Schema.Int.check(Schema.isGreaterThan(0)), 1, { description: "Tokens of each answer that count." })
})
type OpeningConfig = typeof OpeningConfig.Type

export const opening: Loss<OpeningConfig> = {
  id: "opening",
  // Raised when the same options give other numbers: what was trained with it before is then trained again.
  version: 1,
  description: "cross entropy of the first tokens of an answer",
  Config: OpeningConfig,
  needsTeacher: () => false,
  rowLoss: ({ tokens }) => {
    const whole = crossEntropy()
    return {
      ...whole,
      name: "opening",
      rowWeights: (labels) => {
        // Rows that predict a label follow each other within an answer.
        const rows = whole.rowWeights(labels)
        const isFirst = (row: number) => Array.from({ length: tokens }, (_, i) => row - 1 - i).some((r) => !rows.has(r))
        const first = [...rows.keys()].filter(isFirst)
        return new Map(first.map((row) => [row, 1 / first.length]))
      }
    }
  }
}

export const plugin = definePlugin({ name: "customLoss.ts", losses: [opening] })

const tell = (entry: Entry) => {
  if (!isEntryOf(RunEvents.StepDone, entry) || entry.event.metrics["opening"] === undefined) return
  const { ce, kd, opening: part } = entry.event.metrics
  console.log(`step ${entry.event.step}: ce ${ce}, kd ${kd}, opening ${part}`)
}

const main = (model = shippedFile("data/nano/model"), directory = "runs/custom-loss") => {
  const recipe = Recipe.make({ name: "openings count", model, seed: 7 }).pipe(
    Recipe.andThen(
      Qat.stage({
        data: { meta: shippedFile("data/nano/datasets.json"), percent: 1 },
        quantizers: [rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))],
        loss: { confidence: 0.5, others: [{ use: "opening", factor: 0.5, with: { tokens: 2 } }] },
        batch: 2,
        accumulation: 2,
        maxSteps: 3
      })
    )
  )
  Run.main(Effect.asVoid(Run.start(recipe, { directory, extensions: plugin, onEvent: tell })))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(...process.argv.slice(2))
