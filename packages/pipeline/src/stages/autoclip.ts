/**
 * The clipping search before stage 3 of SPEED-Q (arXiv:2511.08914 §3; internvl3.md 6.8): for every group of the decoder's
 * weights, the range whose nearest quantization changes the layer's output least on calibration text. A step is a layer.
 */
import { readFile } from "node:fs/promises"
import {
  type ClippingOptions,
  calibrationBlocks,
  calibrationDefaults,
  choicesOf,
  clippingDefaults,
  documentsOf,
  isClipped,
  type QuantizerChoice,
  searchClipping
} from "@speedq/quantizers"
import {
  add,
  type Backend,
  cast,
  gatherRows,
  gram,
  keep,
  noGrad,
  type Parameters,
  reshape,
  scale,
  scope,
  sum,
  type Tensor,
  tensor,
  writeRows,
  zeros
} from "@speedq/tensors"
import { decoderLayer, embedTokens, type LanguageConfig, type Weights, weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ClippingRanges, KnownQuantizers } from "../artefacts.ts"
import * as Codec from "../Codec.ts"
import { Compute } from "../compute/Compute.ts"
import { DataUnusable, type SavedFileDamaged } from "../Errors.ts"
import { type Events, emit } from "../Events.ts"
import { RuleSpec } from "../model/QuantizerSpec.ts"
import { EmbeddingConfig, embeddingChoices, quantizedEmbeddings } from "../model/quantizedEmbeddings.ts"
import { decodingRules, planTower } from "../model/rules.ts"
import { openSourceModel } from "../model/SourceModel.ts"
import { LayerQuantized } from "../runEvents.ts"
import * as Stage from "../Stage.ts"
import { loadTensor, loadTensors, tensorSource, tensorSources } from "../tensorCodec.ts"
import { fingerprintOf } from "./fingerprint.ts"

const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))
const Count = Schema.Int.check(Schema.isGreaterThan(0))

export const AutoclipConfig = Schema.Struct({
  /** Text: JSONL with `text` or `conversations`, or paragraphs. */
  calibration: Schema.NonEmptyString,
  documents: withDefault(Count, calibrationDefaults.documents),
  longest: withDefault(Count, calibrationDefaults.longest),
  block: withDefault(Count, calibrationDefaults.block),
  sampleTokens: withDefault(Count, clippingDefaults.sampleTokens),
  gridSize: withDefault(Count, clippingDefaults.gridSize),
  maxShrink: withDefault(Schema.Finite.check(Schema.isGreaterThan(0)), clippingDefaults.maxShrink),
  /** Quantizers of stage 3: bits and groups are theirs. */
  quantizers: Schema.NonEmptyArray(RuleSpec),
  embeddings: EmbeddingConfig
})
type Config = typeof AutoclipConfig.Type

const Row = Schema.Struct({ layer: Schema.String, before: Schema.Number, after: Schema.Number })

/** What the search remembers: the calibration text before the next layer, and the ranges found so far. */
interface Searching {
  /** Hidden states [blocks, tokens, H]; undefined before the first layer. */
  readonly hidden: Tensor | undefined
  readonly ranges: Parameters
  /** Mean error of each layer without and with clipping. */
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

interface Search {
  readonly backend: Backend
  readonly language: LanguageConfig
  readonly weights: Weights
  readonly choices: ReadonlyMap<string, QuantizerChoice>
  readonly config: Config
}

/** Bits and groups of a Linear whose weights are clipped; undefined for the others. */
const clippingOf = ({ choices, config }: Search, layer: string): ClippingOptions | undefined => {
  const choice = choices.get(layer)
  const grid = choice?.quantizer.grid
  if (choice === undefined || grid === undefined || !isClipped(layer)) return undefined
  const { gridSize, maxShrink, sampleTokens } = config
  return { ...grid.extents(choice.config), gridSize, maxShrink, sampleTokens }
}

/** Every floor(N / sample)-th of N tokens. */
const sampledTokens = (tokens: number, sample: number): readonly number[] => {
  const stride = Math.max(1, Math.floor(tokens / sample))
  return Array.from({ length: Math.ceil(tokens / stride) }, (_, i) => i * stride)
}

const range = (start: number, end: number): readonly number[] =>
  Array.from({ length: end - start }, (_, i) => start + i)

/**
 * Runs a layer block by block. Gives the new hidden states, and for each clipped Linear the second moments of its inputs
 * over the sampled tokens: inputs come from layers that are not clipped.
 */
const observeLayer = (search: Search, index: number, hidden: Tensor) => {
  const { backend, language, weights, config } = search
  const [blocks, length, width] = hidden.shape as readonly [number, number, number]
  const integers = (values: readonly number[], shape = [values.length]) => tensor(backend, values, shape, "i32")
  const sampled = sampledTokens(blocks * length, config.sampleTokens)
  const positions = { ids: integers(range(0, length), [1, length]) }
  const before = reshape(hidden, [blocks * length, width])
  const after = zeros(backend, before.shape)
  const moments: { [layer: string]: Tensor } = {}
  for (let block = 0; block < blocks; block++) {
    const own = sampled.filter((token) => Math.floor(token / length) === block).map((token) => token % length)
    const rows = integers(range(block * length, (block + 1) * length))
    const parts = scope(() => {
      const found: { [layer: string]: Tensor } = {}
      const observe = (layer: string, input: Tensor): void => {
        const options = clippingOf(search, layer)
        if (options === undefined || own.length === 0) return
        const tokens = gatherRows(reshape(input, [length, input.shape.at(-1)!]), integers(own))
        found[layer] = keep(scale(gram(tokens, options.group), own.length / sampled.length))
      }
      const input = reshape(gatherRows(before, rows), [1, length, width])
      const output = decoderLayer({ ...weights, observe }, language, index, input, positions)
      writeRows(after, reshape(output, [length, width]), rows)
      return found
    })
    for (const [layer, part] of Object.entries(parts)) {
      const sumSoFar = moments[layer]
      moments[layer] = sumSoFar === undefined ? part : add(sumSoFar, part)
    }
  }
  return { hidden: reshape(after, hidden.shape), moments }
}

/** Ranges of one layer's Linears, and tensors [1] with the summed errors. */
const searchLayer = (search: Search, moments: Parameters) =>
  Object.entries(moments).map(([layer, inputs]) => {
    const weight = cast(search.weights.get(`${layer}.weight`), "f32")
    const { min, max, error, errorUnclipped } = searchClipping(weight, inputs, clippingOf(search, layer)!)
    return { layer, min, max, before: sum(errorUnclipped), after: sum(error), outputs: weight.shape[0]! }
  })

export const Autoclip = Stage.define({
  name: "autoclip",
  version: 1,
  config: AutoclipConfig,
  gives: [ClippingRanges],
  fingerprint: ({ calibration }, recipe) => fingerprintOf(recipe, [calibration]),
  begin: Effect.fnUntraced(function* (config: Config, _input: object, { recipe }: Stage.StageContext) {
    const { backend } = yield* Compute
    const known = yield* KnownQuantizers
    const model = yield* openSourceModel(recipe.model)
    const { config: modelConfig, tokenizer } = model.directory
    const language = modelConfig.llm_config
    const plan = yield* decodingRules(() => planTower(modelConfig, "language", config.quantizers, known))
    const embedded = yield* decodingRules(() => embeddingChoices(config.embeddings, known))
    const blocks = yield* Effect.tryPromise({
      try: async () => {
        const format = config.calibration.endsWith(".jsonl") ? "jsonl" : "text"
        const documents = documentsOf(config.calibration, await readFile(config.calibration, "utf8"), format)
        return calibrationBlocks(config.calibration, documents, (text) => tokenizer.encode(text), config)
      },
      catch: (error) => new DataUnusable({ reason: error instanceof Error ? error.message : String(error) })
    })
    const weights = weightsFrom(quantizedEmbeddings(model.weights, embedded), model.weights)
    const search: Search = { backend, language, weights, choices: choicesOf(plan), config }

    const embeddings = (): Tensor => {
      const ids = Int32Array.from(blocks.flatMap((block) => [...block]))
      return embedTokens(weights, tensor(backend, ids, [blocks.length, config.block], "i32"))
    }
    const step = Effect.fnUntraced(function* (
      state: Searching,
      index: number
    ): Effect.fn.Return<{ readonly state: Searching; readonly metrics: Stage.Metrics }, never, Events> {
      const found = noGrad(() =>
        scope(() => {
          const { hidden, moments } = observeLayer(search, index, state.hidden ?? embeddings())
          return { hidden, layers: searchLayer(search, moments) }
        })
      )
      state.hidden?.release()
      const rows = [...state.rows]
      const ranges: { [name: string]: Tensor } = { ...state.ranges }
      let loss = 0
      for (const { layer, min, max, before, after, outputs } of found.layers) {
        const measured = yield* Effect.promise(() => Promise.all([before.item(), after.item()]))
        const [errorBefore, errorAfter] = measured.map((error) => error / outputs) as [number, number]
        before.release()
        after.release()
        ranges[`${layer}.min`] = min
        ranges[`${layer}.max`] = max
        rows.push({ layer, before: errorBefore, after: errorAfter })
        loss += errorAfter
        const { quantizer, config: options } = search.choices.get(layer)!
        yield* emit(LayerQuantized, {
          layer,
          quantizer: `${quantizer.id} clipped`,
          bits: quantizer.bitsPerWeight(options),
          errorBefore,
          errorAfter,
          bytes: 0
        })
      }
      return { state: { hidden: found.hidden, ranges, rows }, metrics: { loss } }
    })
    const program: Stage.Program<Searching, { readonly clipping: Parameters }, SavedFileDamaged, Compute | Events> = {
      steps: language.num_hidden_layers,
      state: searchingCodec,
      initial: Effect.succeed<Searching>({ hidden: undefined, ranges: {}, rows: [] }),
      step,
      finish: ({ ranges, rows }) =>
        Effect.succeed({
          output: { clipping: ranges },
          report: [
            {
              _tag: "BarChart" as const,
              title: "Output error of clipped layers",
              yLabel: "mean squared error of an output",
              logarithmic: true,
              series: ["nearest, not clipped", "nearest, clipped"],
              groups: rows.map(({ layer, before, after }) => ({
                label: layer.replace(/^language_model\.model\.layers\./, ""),
                values: [before, after]
              }))
            }
          ]
        })
    }
    return program
  })
})
