/**
 * Mixed precision by measurement (docs/method.md, "Mixed precision under a budget"): how far the model's predictions move when one
 * block, or one layer, is rounded to nearest by each candidate, everything else in full precision; then the choice with the least
 * sum that fits. A step is a unit.
 */
import { writtenAs } from "@speedq/formats"
import { Codec, emit, Forecast, RunEvents, Stage } from "@speedq/pipeline"
import { blocksUsed } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Allocation } from "../artefacts/artefacts.ts"
import { leaveSeen } from "../calibration/leaveSeen.ts"
import { eachRecord } from "../calibration/records.ts"
import { type Seen, seenTogether } from "../calibration/seen.ts"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { continueWithData } from "../data/continueWithData.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { pictureLimits } from "../data/pictureLimits.ts"
import type { MicroBatch } from "../data/SampleLoader.ts"
import { SampleTally } from "../data/SampleTally.ts"
import { loadUsed, usedTensor } from "../data/usedSamples.ts"
import { DataUnusable, RulesInvalid } from "../Errors.ts"
import { versionsOf } from "../extensions/versions.ts"
import { requireQuantizable } from "../model/requireQuantizable.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import type { AllocateBitsOptions } from "../registry/stageOptions.ts"
import { AllocateBitsConfig } from "./AllocateBitsConfig.ts"
import { allocate, budgetObstacles, budgetWarnings, choicesOfUnits, roomOf, type Sensitivities } from "./allocation.ts"
import { allocationSections, candidateNames } from "./allocationSections.ts"
import { forecastAllocation } from "./forecastAllocation.ts"
import { makePassage } from "./Passage.ts"
import { planUnits, type Unit } from "./units.ts"

/** The table so far, a row a unit, and what was seen of the records. */
interface Measuring {
  readonly sensitivities: Sensitivities
  readonly seen: Seen
}

const measuringCodec = Codec.make({
  data: Schema.Struct({ sensitivities: Schema.Array(Schema.Array(Schema.Number)), tally: SampleTally }),
  save: ({ sensitivities, seen }: Measuring) => ({
    data: { sensitivities, tally: seen.tally },
    tensors: [usedTensor(seen.used)]
  }),
  load: ({ sensitivities, tally }, file) =>
    Effect.map(loadUsed(file), (used): Measuring => ({ sensitivities, seen: { tally, used } }))
})

/** Fails with DataUnusable where the records say nothing about a part of what is measured. */
const requireTelling = (
  { data, records }: AllocateBitsConfig,
  found: readonly MicroBatch[],
  units: readonly Unit[],
  towerBlocks: number
): Effect.Effect<void, DataUnusable> => {
  const first = `the first ${found.length} records of ${data.meta}`
  const more = `raise records (${records}), or give others`
  if (found.every(({ answerTokens }) => answerTokens.every((count) => count === 0))) {
    const reason = `${first} have no answer to measure a divergence on`
    return Effect.fail(new DataUnusable({ reason, fix: more }))
  }
  const seesTower = units.some(({ position }) => position !== undefined && position < towerBlocks)
  if (seesTower && found.every(({ tileKeys }) => tileKeys.length === 0)) {
    const reason = `${first} have no pictures, so nothing can be measured of the vision tower`
    return Effect.fail(new DataUnusable({ reason, fix: `${more}, or name the language model alone in candidates` }))
  }
  return Effect.void
}

export const AllocateBits = Stage.define({
  name: "allocate-bits",
  version: 1,
  config: writtenAs<AllocateBitsOptions>()(AllocateBitsConfig),
  gives: [Allocation],
  fingerprint: ({ data, compat }, recipe) =>
    fingerprintOf(recipe, { data, limits: pictureLimits(data.images, compat) }),
  continuation: ({ data, compat }, recipe, begun) => continueWithData(data, compat, recipe, begun),
  versions: ({ candidates }) => versionsOf({ quantizers: candidates.flat() }),
  forecast: forecastAllocation,
  begin: Effect.fnUntraced(function* (config: AllocateBitsConfig, _input: object, context: Stage.StageContext) {
    const { backend } = yield* Compute
    const { directory, weights } = yield* openRecipeModel(context.recipe)
    const units = yield* planUnits(directory.config, config)
    const room = roomOf(units, config.budget)
    const [obstacle] = budgetObstacles(room)
    if (obstacle !== undefined) return yield* new RulesInvalid({ reason: Forecast.obstacleText(obstacle) })
    for (const message of budgetWarnings(room)) yield* emit(RunEvents.Warning, { message })
    for (const at of config.candidates.keys()) {
      const each = units.map(() => at)
      yield* requireQuantizable(weights, choicesOfUnits(units, each))
    }
    const { data, records: documents, compat } = config
    const records: MicroBatch[] = []
    /** Reads the records; those that cannot be used are told of once, when the stage begins. */
    const read = Effect.fnUntraced(function* (tells: boolean) {
      const found: MicroBatch[] = []
      const seen = yield* eachRecord({ data, documents, compat, stage: context, tells }, (record) =>
        Effect.sync(() => found.push(record))
      )
      yield* requireTelling(config, found, units, blocksUsed(directory.config))
      records.push(...found)
      return seen
    })
    const reading = (seen: Seen) =>
      Effect.suspend(() =>
        records.length > 0 ? Effect.succeed(seen) : Effect.map(read(false), (now) => seenTogether(seen, now))
      )
    const passage = yield* owned(
      Effect.sync(() => makePassage({ backend, directory, weights, records })),
      ({ close }) => close()
    )
    const names = candidateNames(units)
    const tokensOf = () => records.flatMap(({ answerTokens }) => answerTokens).reduce((sum, each) => sum + each, 0)
    const step = Effect.fnUntraced(function* ({ sensitivities, seen: before }: Measuring, done: number) {
      const { position, candidates } = units[done]!
      const seen = yield* reading(before)
      const tokens = tokensOf()
      const measured = yield* Effect.forEach(candidates, ({ choices }) =>
        // Nothing depends on a block that does not run.
        position === undefined ? Effect.succeed(0) : computing(() => passage.divergence(position, choices))
      )
      const metrics: Stage.Metrics = Object.fromEntries(names.map((name, at) => [`KL ${name}`, measured[at]! / tokens]))
      const next: Measuring = { sensitivities: [...sensitivities, measured], seen }
      return { state: next, metrics }
    })
    return Stage.program({
      steps: units.length,
      state: measuringCodec,
      initial: Effect.map(read(true), (seen): Measuring => ({ sensitivities: [], seen })),
      step,
      isIntact: () => true,
      finish: Effect.fnUntraced(function* ({ sensitivities, seen: before }: Measuring) {
        const seen = yield* reading(before)
        const { sections, files } = yield* leaveSeen(seen, data, context.directory)
        const chosen = allocate(units, sensitivities, room)
        return {
          output: { allocation: choicesOfUnits(units, chosen) },
          report: [...allocationSections({ units, sensitivities, chosen, room, tokens: tokensOf() }), ...sections],
          files
        }
      })
    })
  })
})
