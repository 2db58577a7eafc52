/**
 * The clipping search before stage 3 of SPEED-Q (arXiv:2511.08914 §3; internvl3.md 6.8): for every group of the decoder's
 * weights, the range whose nearest quantization changes the layer's output least on calibration text. A step is a layer, the
 * last one that rules name the last step.
 */
import { readFile } from "node:fs/promises"
import {
  calibrationBlocks,
  calibrationDefaults,
  clippingDefaults,
  documentsOf,
  RuleSpec,
  referenceClipping
} from "@speedq/quantizers"
import { noGrad, type Parameters, scope, type Tensor, tensor } from "@speedq/tensors"
import { embedTokens, type Tokenizer, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ClippingRanges } from "../../artefacts.ts"
import * as Codec from "../../Codec.ts"
import { Compute } from "../../compute/Compute.ts"
import { computing } from "../../compute/computing.ts"
import { DataUnusable } from "../../Errors.ts"
import { eventKind } from "../../EventKind.ts"
import { emit } from "../../Events.ts"
import { make, missingFiles } from "../../Forecast.ts"
import { formatNumber } from "../../format.ts"
import { EmbeddingConfig, planEmbeddings, planTowers } from "../../model/plannedLayers.ts"
import { quantizedEmbeddings } from "../../model/quantizedEmbeddings.ts"
import { openSourceModel } from "../../model/SourceModel.ts"
import { owned, owningState, releaseParameters } from "../../model/stageMemory.ts"
import { Compat, Count, Positive, withDefault } from "../../options.ts"
import { callsPerLayer, languageFlops, secondsFor } from "../../planning/cost.ts"
import { planModel } from "../../planning/plannedModel.ts"
import { ruleLines } from "../../planning/ruleLines.ts"
import * as Stage from "../../Stage.ts"
import { loadTensor, loadTensors, tensorSource, tensorSources } from "../../tensorCodec.ts"
import { fingerprintOf } from "../fingerprint.ts"
import { type ClippingSearch, clipLayer, layersToSearch } from "./clipLayer.ts"

export const AutoclipConfig = Schema.Struct({
  compat: Compat,
  /** Text: JSONL with `text` or `conversations`, or paragraphs. */
  calibration: Schema.NonEmptyString,
  documents: withDefault(Count, calibrationDefaults.documents),
  longest: withDefault(Count, calibrationDefaults.longest),
  block: withDefault(Count, calibrationDefaults.block),
  sampleTokens: withDefault(Count, clippingDefaults.sampleTokens),
  gridSize: withDefault(Count, clippingDefaults.gridSize),
  maxShrink: withDefault(Positive, clippingDefaults.maxShrink),
  /** "bf16" rounds as the reference's search does; left open, `compat` decides. */
  arithmetic: Schema.optionalKey(Schema.Literals(["f32", "bf16"])),
  /** Quantizers of stage 3: bits and groups are theirs. */
  quantizers: Schema.NonEmptyArray(RuleSpec),
  embeddings: EmbeddingConfig
})
type Config = typeof AutoclipConfig.Type

/** One layer has its ranges: mean squared error of its output, rounded to nearest, without and with clipping. */
export const LayerClipped = eventKind(
  "LayerClipped",
  { layer: Schema.String, errorBefore: Schema.Number, errorAfter: Schema.Number },
  {
    line: ({ layer, errorBefore, errorAfter }) =>
      `${layer}: clipped, error ${formatNumber(errorBefore)} -> ${formatNumber(errorAfter)}`
  }
)

const Row = Schema.Struct({ layer: Schema.String, before: Schema.Number, after: Schema.Number })

/** What the search remembers: the calibration text before the next layer, and the ranges found so far. */
interface Searching {
  /** Hidden states [blocks, tokens, H]; undefined before the first layer. */
  readonly hidden: Tensor | undefined
  readonly ranges: Parameters
  readonly rows: readonly (typeof Row.Type)[]
}

const searchingCodec = Codec.make({
  data: Schema.Struct({ rows: Schema.Array(Row), begun: Schema.Boolean }),
  save: ({ hidden, ranges, rows }: Searching) => ({
    data: { rows, begun: hidden !== undefined },
    tensors: [...(hidden ? [tensorSource("hidden", hidden)] : []), ...tensorSources("range", ranges)]
  }),
  load: ({ rows, begun }, file) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      const hidden = begun ? yield* loadTensor(backend, file, "hidden") : undefined
      return { hidden, ranges: yield* loadTensors(backend, file, "range"), rows } satisfies Searching
    })
})

/** Blocks of calibration tokens. Fails with DataUnusable, which names file and line. */
const readBlocks = (config: Config, tokenizer: Tokenizer) =>
  Effect.tryPromise({
    try: async () => {
      const { calibration: file } = config
      const documents = documentsOf(file, await readFile(file, "utf8"), file.endsWith(".jsonl") ? "jsonl" : "text")
      return calibrationBlocks(file, documents, (text) => tokenizer.encode(text), config)
    },
    catch: (error) => new DataUnusable({ reason: error instanceof Error ? error.message : String(error) })
  })

export const Autoclip = Stage.define({
  name: "autoclip",
  version: 1,
  config: AutoclipConfig,
  gives: [ClippingRanges],
  fingerprint: ({ calibration }, recipe) => fingerprintOf(recipe, { files: [calibration] }),
  forecast: Effect.fnUntraced(function* (config: Config, recipe) {
    const model = yield* planModel(recipe)
    const { llm_config: language } = model.config
    const planned = yield* planTowers(model.config, ["language"], config.quantizers, config.compat)
    const missing = yield* missingFiles([config.calibration], "give a file of calibration text")
    const tokens = config.documents * config.longest
    const hidden = 4 * tokens * language.hidden_size
    // Both matrices in f32, and what quantizing the second needs for a moment: its codes, scales and two more copies.
    const embeddings = (2 * 4 + 10) * language.vocab_size * language.hidden_size
    // Two ranges a group of the clipped weights, which are at most all of them.
    const ranges = planned.plan.layers.reduce((sum, { shape, choice }) => {
      const group = choice.quantizer.grid?.extents(choice.config).group
      return group === undefined ? sum : sum + (8 * shape[0]! * shape[1]!) / group
    }, 0)
    const layers = layersToSearch({ choices: planned.choices, options: config }, language)
    const share = layers / language.num_hidden_layers
    const flops = share * languageFlops(model.config, config.block, 0) * (tokens / config.block)
    return make({
      obstacles: [...model.obstacles, ...missing],
      memoryBytes: model.loadedBytes + embeddings + 3 * hidden + ranges,
      checkpointBytes: hidden + ranges,
      outputBytes: ranges,
      seconds: secondsFor(flops, layers * (tokens / config.block) * callsPerLayer),
      lines: ruleLines(planned)
    })
  }),
  begin: Effect.fnUntraced(function* (config: Config, _input: object, { recipe }: Stage.StageContext) {
    const { backend } = yield* Compute
    const model = yield* openSourceModel(recipe.model)
    const { config: modelConfig, tokenizer } = model.directory
    const language = modelConfig.llm_config
    const { choices } = yield* planTowers(modelConfig, ["language"], config.quantizers, config.compat)
    const embedded = yield* planEmbeddings(modelConfig, config.embeddings, config.compat)
    const blocks = yield* readBlocks(config, tokenizer)
    const frozen = yield* owned(
      Effect.sync(() => quantizedEmbeddings(model.weights, embedded.choices)),
      releaseParameters
    )
    const weights = weightsFrom(frozen, model.weights)
    const options = config.compat === "reference" ? { ...referenceClipping, ...config } : config
    const search: ClippingSearch = { backend, language, weights, choices, source: config.calibration, options }

    /** Embeddings of the calibration text, [blocks, tokens, H]. */
    const embeddings = (): Tensor =>
      noGrad(() =>
        scope(() => {
          const ids = Int32Array.from(blocks.flatMap((block) => [...block]))
          return embedTokens(weights, tensor(backend, ids, [blocks.length, config.block], "i32"))
        })
      )
    const step = Effect.fnUntraced(function* (state: Searching, index: number) {
      const { hidden, layers } = yield* computing(async () => {
        const before = state.hidden ?? embeddings()
        const clipped = await clipLayer(search, index, before)
        before.release()
        return clipped
      })
      for (const { layer, errorBefore, errorAfter } of layers) {
        yield* emit(LayerClipped, { layer, errorBefore, errorAfter })
      }
      const found = layers.flatMap(({ layer, min, max }) => [
        [`${layer}.min`, min] as const,
        [`${layer}.max`, max] as const
      ])
      const rows = layers.map(({ layer, errorBefore, errorAfter }) => ({
        layer,
        before: errorBefore,
        after: errorAfter
      }))
      const next: Searching = {
        hidden,
        ranges: { ...state.ranges, ...Object.fromEntries(found) },
        rows: [...state.rows, ...rows]
      }
      return { state: next, metrics: { loss: rows.reduce((total, { after }) => total + after, 0) } }
    })
    const program = Stage.program({
      steps: layersToSearch(search, language),
      state: searchingCodec,
      initial: Effect.succeed<Searching>({ hidden: undefined, ranges: {}, rows: [] }),
      step,
      finish: ({ ranges, rows }: Searching) =>
        Effect.succeed({ output: { clipping: ranges }, report: [errorChart(rows)] })
    })
    return yield* owningState(program, ({ hidden, ranges }) => {
      hidden?.release()
      releaseParameters(ranges)
    })
  })
})

const errorChart = (rows: Searching["rows"]) => ({
  _tag: "BarChart" as const,
  title: "Output error of clipped layers",
  yLabel: "mean squared error of an output, rounded to nearest",
  logarithmic: true,
  series: ["not clipped", "clipped"],
  groups: rows.map(({ layer, before, after }) => ({
    label: layer.replace(/^language_model\.model\.layers\./, ""),
    values: [before, after]
  }))
})
