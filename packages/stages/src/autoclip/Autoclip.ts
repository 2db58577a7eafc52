/**
 * The clipping search before stage 3 of SPEED-Q (arXiv:2511.08914 §3; docs/method.md, "Clipping search"): for every
 * group of the decoder's weights, the range whose nearest quantization changes the layer's output least on calibration
 * data. A step is a layer, the last one that rules name the last step.
 */
import { packedWeights, releaseParameters } from "@speedq/exports"
import { option, optionalOption, requiredOption, writtenAs } from "@speedq/formats"
import { Compat, Count, emit, Forecast, Positive, type Report, RunEvents, Stage } from "@speedq/pipeline"
import {
  calibrationDefaults,
  clippingDefaults,
  type QuantizerChoice,
  RuleList,
  referenceClipping
} from "@speedq/quantizers"
import { sizeOf } from "@speedq/tensors"
import { tokensPerTile } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ClippingRanges } from "../artefacts/artefacts.ts"
import { type CalibratedInput, calibratedStage } from "../calibration/calibratedStage.ts"
import { calibratedTime } from "../calibration/calibratedTime.ts"
import { Calibration, embedBlocks, embedRecords, readBlocks, seesImages, sourceOf } from "../calibration/calibration.ts"
import { calibrationForecast, extentOf } from "../calibration/calibrationForecast.ts"
import { leaveSeen } from "../calibration/leaveSeen.ts"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { Extensions } from "../extensions/Extensions.ts"
import { layersSection, measuredFact } from "../model/layerFact.ts"
import {
  chosenMatrices,
  EmbeddingConfig,
  embeddingVersions,
  planEmbeddings,
  planTowers
} from "../model/plannedLayers.ts"
import { requireQuantizable } from "../model/requireQuantizable.ts"
import { roundedMatrices } from "../model/roundedMatrices.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned, owningState } from "../model/stageMemory.ts"
import { disagreements } from "../planning/decidingStages.ts"
import { largestTensor } from "../planning/largestTensor.ts"
import { planModel } from "../planning/plannedModel.ts"
import { ruleLines } from "../planning/ruleLines.ts"
import type { AutoclipOptions } from "../registry/stageOptions.ts"
import { type ClippingSearch, clippedMatrices, layersToSearch, observeLayer, searchGrid } from "./clipLayer.ts"
import { offerRanges } from "./rangeUnits.ts"
import { type Searching, searchingCodec } from "./Searching.ts"
import { searchRanges } from "./searchRanges.ts"
import { searchSeconds } from "./searchSeconds.ts"

const AutoclipConfig = Schema.Struct({
  compat: Compat,
  calibration: requiredOption(Calibration, {
    description:
      "Text that the search runs on: JSONL with `text` or `conversations`, or paragraphs. Or `{ meta, ... }` as in training: records with their images."
  }),
  documents: option(Count, calibrationDefaults.documents, {
    description: "Documents of the text, or records, that are used.",
    unit: "documents",
    source: "the reference"
  }),
  longest: option(Count, calibrationDefaults.longest, {
    description: "Documents of text with more tokens are passed over. Records are not.",
    unit: "tokens",
    source: "the reference"
  }),
  block: option(Count, calibrationDefaults.block, {
    description: "Text is joined and cut into sequences of this length; a record is a sequence of its own.",
    unit: "tokens",
    source: "the reference"
  }),
  sampleTokens: option(Count, clippingDefaults.sampleTokens, {
    description: "Tokens, evenly spread over all sequences, on which the error of a layer is measured.",
    unit: "tokens",
    source: "the reference"
  }),
  gridSize: option(Count, clippingDefaults.gridSize, {
    description:
      "Steps that the way from the full range to 0 is cut into; `maxShrink` says how many of them are tried.",
    unit: "steps",
    source: "the reference"
  }),
  maxShrink: option(Positive, clippingDefaults.maxShrink, {
    description: "How far each end of the range may shrink. All pairs of steps below it are tried.",
    unit: "share of the range",
    source: "the reference"
  }),
  arithmetic: optionalOption(Schema.Literals(["f32", "bf16"]), {
    description: "Format that errors are rounded to before they are compared.",
    source: "f32, or bf16 under `compat` reference: docs/quirks.md#quirk-5"
  }),
  quantizers: requiredOption(RuleList, {
    description: "Rules of the stage that trains afterwards: the search takes bits and groups from their quantizers."
  }),
  embeddings: EmbeddingConfig
})
type Config = typeof AutoclipConfig.Type

export const Autoclip = Stage.define({
  ...calibratedStage,
  name: "autoclip",
  version: 2,
  config: writtenAs<AutoclipOptions>()(AutoclipConfig),
  gives: [ClippingRanges],
  versions: Effect.fnUntraced(function* (config: Config) {
    const named = config.quantizers.map(({ use }) => use)
    // Weights of these quantizers were not clipped by earlier versions.
    const searched = (yield* Extensions).quantizers.filter(({ id, searchedAs }) => searchedAs && named.includes(id))
    const versions = yield* calibratedStage.versions(config)
    const clipped = Object.fromEntries(searched.map(({ id }) => [`clipping of ${id}`, 1]))
    return { ...versions, ...clipped, ...embeddingVersions(config) }
  }),
  forecast: Effect.fnUntraced(function* (config: Config, recipe, place) {
    const model = yield* planModel(recipe)
    const { llm_config: language } = model.config
    const planned = yield* planTowers(model.config, ["language"], config.quantizers, config.compat)
    const missing = yield* Forecast.missingFiles([sourceOf(config.calibration)], "give a file of calibration data")
    const data = missing.length > 0 ? undefined : yield* calibrationForecast(config, recipe)
    const extent = extentOf(config, tokensPerTile(model.config), data?.blocks)
    const tokens = extent.count * extent.length
    const hidden = 4 * tokens * language.hidden_size
    // The matrices in f32, and what quantizing the last needs for a moment: its codes, scales and two more copies.
    const frozen = chosenMatrices(yield* planEmbeddings(model.config, config.embeddings, config.compat, "language"))
    const last = frozen.at(-1)
    const embeddings = last === undefined ? 0 : (4 * frozen.length + 10) * sizeOf(last.shape)
    // Two ranges a group of the clipped weights, which are at most all of them.
    const ranges = planned.plan.layers.reduce((sum, { shape, choice }) => {
      const group = searchGrid(choice)?.group
      return group === undefined ? sum : sum + (8 * shape[0]! * shape[1]!) / group
    }, 0)
    const layers = layersToSearch({ choices: planned.choices, options: config }, language)
    const clipped = clippedMatrices({ choices: planned.choices, options: config }, chosenMatrices(planned))
    const sizes = { checkpointBytes: hidden + ranges, outputBytes: ranges }
    const time = calibratedTime({
      ...{ ...config, extent },
      work: (sequences) => searchSeconds({ model, sequences, layers, clipped, frozen }),
      files: { ...sizes, recipe, place, model, steps: layers }
    })
    return Forecast.make({
      obstacles: [
        ...model.obstacles,
        ...missing,
        ...(data?.obstacles ?? []),
        ...(yield* disagreements(model.config, place))
      ],
      memoryBytes: model.loadedBytes + embeddings + 3 * hidden + ranges,
      tensorBytes: model.weightBytes + embeddings + 3 * hidden + ranges,
      largest: largestTensor(model, { widened: [...frozen, ...chosenMatrices(planned)], tokens: extent.length }),
      ...sizes,
      time,
      lines: [...ruleLines(planned, place), ...(data?.lines ?? [])]
    })
  }),
  begin: Effect.fnUntraced(function* (config: Config, input: CalibratedInput, context: Stage.StageContext) {
    const { backend } = yield* Compute
    const model = yield* openRecipeModel(context.recipe)
    const { directory } = model
    const language = directory.config.llm_config
    const { quantizers, compat } = config
    const { choices } = yield* planTowers(directory.config, ["language"], quantizers, compat, input.allocation)
    const embedded = yield* planEmbeddings(directory.config, config.embeddings, config.compat, "language")
    const { calibration } = config
    const blocks = seesImages(calibration) ? [] : yield* readBlocks(calibration, directory.tokenizer, config)
    yield* requireQuantizable(model.weights, embedded.choices)
    const frozen = yield* owned(
      Effect.sync(() => roundedMatrices(model.weights, embedded.choices)),
      releaseParameters
    )
    const { packed = new Map(), values = {} } = input.quantizedVision ?? {}
    const weights = packedWeights(packed, values, { ...input.projector }, frozen, model.weights)
    const options = config.compat === "reference" ? { ...referenceClipping, ...config } : config
    const search: ClippingSearch = { language, weights, choices, source: sourceOf(calibration), options }

    const start: ReturnType<typeof embedRecords> = seesImages(calibration)
      ? embedRecords({
          ...{ backend, directory, weights, data: calibration, stage: context },
          ...{ documents: config.documents, compat: config.compat }
        })
      : computing(() => ({ ...embedBlocks(backend, weights, language, blocks), seen: undefined }))
    yield* offerRanges(search)
    const step = Effect.fnUntraced(function* (state: Searching, index: number) {
      const begun = state.sequences === undefined ? yield* start : undefined
      const before = state.sequences ?? begun!
      const release = Effect.sync(() => before.hidden.release())
      const { hidden, layers } = yield* Effect.gen(function* () {
        const { hidden, moments, releaseMoments } = yield* computing(() => observeLayer(search, index, before))
        const layers = yield* searchRanges(search, context.directory, index, moments).pipe(
          Effect.onError(() => Effect.sync(() => hidden.release())),
          Effect.ensuring(Effect.sync(releaseMoments))
        )
        return { hidden, layers }
      }).pipe(Effect.onError(() => (state.sequences === undefined ? release : Effect.void)))
      yield* release
      const found = layers.flatMap(({ layer, min, max }) => [
        [`${layer}.min`, min] as const,
        [`${layer}.max`, max] as const
      ])
      const rows = layers.map(({ layer, errorBefore, errorAfter }) => ({
        layer,
        before: errorBefore,
        after: errorAfter
      }))
      for (const fact of clippedFacts(rows, choices)) yield* emit(RunEvents.LayerQuantized, fact)
      const next: Searching = {
        sequences: { hidden, lengths: before.lengths },
        ranges: { ...state.ranges, ...Object.fromEntries(found) },
        rows: [...state.rows, ...rows],
        seen: state.seen ?? begun?.seen
      }
      // Errors of one block after another are no curve; each is told by its event, and stands in the report.
      return { state: next, metrics: {} }
    })
    const program = Stage.program({
      steps: layersToSearch(search, language),
      state: searchingCodec,
      initial: Effect.succeed<Searching>({ sequences: undefined, ranges: {}, rows: [], seen: undefined }),
      step,
      isIntact: () => true,
      finish: Effect.fnUntraced(function* ({ ranges, rows, seen }: Searching) {
        const { sections, files } = yield* leaveSeen(seen, calibration, context.directory)
        return { output: { clipping: ranges }, report: [...clippedLayers(rows, choices), ...sections], files }
      })
    })
    return yield* owningState(program, ({ sequences, ranges }) => {
      sequences?.hidden.release()
      releaseParameters(ranges)
    })
  })
})

/** Mean squared error of the output of each layer with its weight rounded to nearest, without and with clipping. */
const clippedFacts = (
  rows: Searching["rows"],
  choices: ReadonlyMap<string, QuantizerChoice>
): readonly Report.LayerFact[] => rows.map(({ layer, ...errors }) => measuredFact(layer, choices.get(layer), errors))

const clippedLayers = (rows: Searching["rows"], choices: ReadonlyMap<string, QuantizerChoice>) =>
  layersSection(
    clippedFacts(rows, choices),
    "mean squared error of an output, the weight rounded to nearest, without and with clipping"
  )
