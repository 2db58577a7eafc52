/** Stage 1 of SPEED-Q: block-wise AdaRound of the vision tower, on images only (arXiv:2511.08914 §3; adaround.md). */
import {
  type Block,
  type BlockReport,
  blockError,
  countUndecided,
  drawBatch,
  initialRounding,
  type LayerGrid,
  makeLayerGrid,
  releaseRounding,
  roundingStep
} from "@speedq/adaround"
import { choicesOf, type PackedWeights, packWeight, type QuantizerChoice } from "@speedq/quantizers"
import { type Backend, cast, keep, noGrad, type Parameters, Random, scope, type Tensor, tensor } from "@speedq/tensors"
import {
  blocksUsed,
  patchGrid,
  tileSize,
  visionBlock,
  visionBlockName,
  visionEmbeddings,
  weightsFrom
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { KnownQuantizers, QuantizedVision } from "../../artefacts.ts"
import { Compute } from "../../compute/Compute.ts"
import type { SavedFileDamaged } from "../../Errors.ts"
import { type Events, emit } from "../../Events.ts"
import { calibrationTiles } from "../../model/calibrationTiles.ts"
import { RuleSpec } from "../../model/QuantizerSpec.ts"
import { decodingRules, planTower } from "../../model/rules.ts"
import { openSourceModel, type SourceModel } from "../../model/SourceModel.ts"
import { LayerQuantized } from "../../runEvents.ts"
import * as Stage from "../../Stage.ts"
import { fingerprintOf } from "../fingerprint.ts"
import { type BlockCaches, makeBlockCaches } from "./BlockCaches.ts"
import { type VisionRounding, visionRoundingCodec } from "./VisionRounding.ts"

const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))
const Count = Schema.Int.check(Schema.isGreaterThan(0))
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

export const AdaRoundVitConfig = Schema.Struct({
  /** Directory of calibration images, or a text file that lists them. */
  images: Schema.NonEmptyString,
  /** Tiles that are used, 1024 in BRECQ, and tiles of an image at most. */
  count: withDefault(Count, 1024),
  maxTiles: withDefault(Count, 1),
  /** Quantizers of the tower's Linears; grids only (bilevel, uniform). */
  quantizers: Schema.NonEmptyArray(RuleSpec),
  /** Iterations a block; 0 rounds to nearest. */
  iterations: withDefault(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)), 20_000),
  batch: withDefault(Count, 32),
  learningRate: withDefault(Schema.Finite.check(Schema.isGreaterThan(0)), 1e-3),
  lambda: withDefault(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)), 0.01),
  warmup: withDefault(Share, 0.2),
  betaStart: withDefault(Schema.Finite, 20),
  betaEnd: withDefault(Schema.Finite, 2),
  inputs: withDefault(Schema.Literals(["asymmetric", "full-precision"]), "asymmetric"),
  /** Memory for cached activations; what does not fit is in files of the stage's directory. */
  cache: withDefault(Schema.ByteSizeFromString, "2 GiB")
})
type Config = typeof AdaRoundVitConfig.Type

/** Names of a block's Linears, below the block's own name. */
const linears = ["attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"] as const

/** What the steps work with, for the life of the stage. */
interface Workshop {
  readonly backend: Backend
  readonly model: SourceModel
  readonly choices: ReadonlyMap<string, QuantizerChoice>
  readonly caches: BlockCaches
  readonly config: Config
}

/** A block of the network with some weights replaced: [B, N, C] -> [B, N, C]. */
const blockFunction =
  ({ model }: Workshop, index: number, replaced: Parameters = {}) =>
  (x: Tensor): Tensor => {
    const { vision_config } = model.directory.config
    return visionBlock(weightsFrom(replaced, model.weights), vision_config, visionBlockName(index), x)
  }

/** The grids of a block's Linears, by parameter name; the caller releases them. */
const gridsOf = ({ model, choices }: Workshop, index: number): { readonly [name: string]: LayerGrid } =>
  Object.fromEntries(
    linears.flatMap((linear) => {
      const layer = `${visionBlockName(index)}.${linear}`
      const choice = choices.get(layer)
      if (choice === undefined) return []
      const weight = keep(cast(model.weights[`${layer}.weight`]!, "f32"))
      return [[`${layer}.weight`, noGrad(() => makeLayerGrid(layer, choice, weight))] as const]
    })
  )

const makeBlock = (workshop: Workshop, index: number, grids: { readonly [name: string]: LayerGrid }): Block => ({
  name: visionBlockName(index),
  grids,
  forward: (weights, x) => blockFunction(workshop, index, weights)(x)
})

const releaseGrids = (grids: { readonly [name: string]: LayerGrid }): void => {
  for (const grid of Object.values(grids)) {
    grid.release()
    grid.weight.release()
  }
}

/** Unpacked weights of one finished block, in the caller's scope. */
const finished = ({ done }: VisionRounding, index: number): Parameters =>
  Object.fromEntries(
    [...done].flatMap(([name, weight]) =>
      name.startsWith(`${visionBlockName(index)}.`) ? [[name, weight.unpack()] as const] : []
    )
  )

/** Mean error of a block over all calibration tiles with the given weights. */
const meanError = async ({ caches, config }: Workshop, block: Block, weights: () => Parameters): Promise<number> => {
  let sum = 0
  for (let first = 0; first < caches.count; first += config.batch) {
    const tiles = Array.from({ length: Math.min(config.batch, caches.count - first) }, (_, i) => first + i)
    const error = noGrad(() => scope(() => blockError(block, weights(), caches.batch(tiles))))
    sum += tiles.length * (await error.item())
    error.release()
  }
  return sum / caches.count
}

/** Makes the rounding of a finished block permanent: packs its weights and measures what was won. */
const harden = async (workshop: Workshop, block: Block, state: VisionRounding): Promise<VisionRounding> => {
  const rounding = state.current!
  const alphas = Object.fromEntries(Object.entries(rounding.layers).map(([name, { alpha }]) => [name, alpha]))
  const hard = (alphaOf: (name: string, grid: LayerGrid) => Tensor) => () =>
    Object.fromEntries(Object.entries(block.grids).map(([name, grid]) => [name, grid.hard(alphaOf(name, grid))]))
  const done = new Map(state.done)
  let undecided = 0
  let roundings = 0
  for (const [name, grid] of Object.entries(block.grids)) {
    const alpha = alphas[name]!
    undecided += await countUndecided(alpha)
    roundings += alpha.size
    const quantized = noGrad(() => grid.stored(alpha))
    const choice = workshop.choices.get(name.replace(/\.weight$/, ""))!
    done.set(name, await packWeight(choice, alpha.shape, quantized))
    for (const tensor of Object.values(quantized)) tensor.release()
  }
  const report: BlockReport = {
    block: block.name,
    errorBefore: await meanError(workshop, block, () => ({})),
    errorNearest: await meanError(
      workshop,
      block,
      hard((_, grid) => grid.initialAlpha())
    ),
    errorAdaround: await meanError(
      workshop,
      block,
      hard((name) => alphas[name]!)
    ),
    undecided: undecided / roundings
  }
  releaseRounding(rounding)
  return { done, reports: [...state.reports, report], current: undefined }
}

/** Blocks and caches of one run of the stage: which block is open, and how to get to the next. */
const makeSession = (workshop: Workshop, tiles: readonly Float32Array[]) => {
  const { backend, model, caches } = workshop
  const { config } = model.directory
  const size = tileSize(config)
  let open: { readonly index: number; readonly block: Block } | undefined

  const embeddings = (tile: number): Tensor =>
    visionEmbeddings(
      weightsFrom(model.weights),
      config.vision_config,
      tensor(backend, tiles[tile]!, [1, 3, size, size])
    )
  const advanceTo = async (state: VisionRounding, index: number): Promise<void> => {
    const weights = scope(() => finished(state, index - 1))
    await caches.advance(blockFunction(workshop, index - 1, weights), blockFunction(workshop, index))
    for (const weight of Object.values(weights)) weight.release()
  }
  const close = (): void => {
    if (open !== undefined) releaseGrids(open.block.grids)
    open = undefined
  }
  return {
    close,
    /** The block at `index`, its caches filled: one advance from the block before, or all the way from the pixels. */
    enter: async (state: VisionRounding, index: number): Promise<Block> => {
      if (open?.index === index) return open.block
      const before = open?.index
      close()
      if (before === index - 1) await advanceTo(state, index)
      else {
        await caches.start(embeddings, blockFunction(workshop, 0))
        for (let next = 1; next <= index; next++) await advanceTo(state, next)
      }
      const block = makeBlock(workshop, index, gridsOf(workshop, index))
      open = { index, block }
      return block
    }
  }
}

export const AdaRoundVit = Stage.define({
  name: "adaround-vit",
  version: 1,
  config: AdaRoundVitConfig,
  gives: [QuantizedVision],
  fingerprint: ({ images }, recipe) => fingerprintOf(recipe, [images]),
  begin: Effect.fnUntraced(function* (config: Config, _input: object, { recipe, seed, directory }: Stage.StageContext) {
    const { backend } = yield* Compute
    const known = yield* KnownQuantizers
    const model = yield* openSourceModel(recipe.model)
    const { config: modelConfig, image } = model.directory
    const plan = yield* decodingRules(() => planTower(modelConfig, "vision", config.quantizers, known))
    const tiles = yield* calibrationTiles(config.images, image, config)
    const caches = yield* Effect.acquireRelease(
      Effect.sync(() =>
        makeBlockCaches({
          backend,
          shape: [patchGrid(modelConfig) ** 2 + 1, modelConfig.vision_config.hidden_size],
          count: tiles.length,
          memoryBudget: Number(config.cache),
          directory,
          inputs: config.inputs
        })
      ),
      (made) => Effect.sync(() => made.dispose())
    )
    const workshop: Workshop = { backend, model, choices: choicesOf(plan), caches, config }
    const session = yield* Effect.acquireRelease(
      Effect.sync(() => makeSession(workshop, tiles)),
      (opened) => Effect.sync(() => opened.close())
    )
    const stepsPerBlock = config.iterations + 1

    /** One iteration of the current block; after the last, the step that makes its rounding permanent. */
    const step = Effect.fnUntraced(function* (
      state: VisionRounding,
      done: number
    ): Effect.fn.Return<{ readonly state: VisionRounding; readonly metrics: Stage.Metrics }, never, Events> {
      const index = Math.floor(done / stepsPerBlock)
      const block = yield* Effect.promise(() => session.enter(state, index))
      const random = Random.make(seed, `mini-batches of block ${index}`)
      const rounding = state.current ?? scope(() => noGrad(() => initialRounding(block.grids, random)))
      if (done % stepsPerBlock === config.iterations) {
        const next = yield* Effect.promise(() => harden(workshop, block, { ...state, current: rounding }))
        const report = next.reports.at(-1)!
        yield* announce(report, next)
        return { state: next, metrics: { loss: report.errorAdaround, nearest: report.errorNearest } }
      }
      const drawn = drawBatch(rounding, caches.count, config.batch)
      const result = scope(() => {
        const batch = caches.batch(drawn.chosen)
        return roundingStep(block, { ...rounding, random: drawn.random }, batch, config)
      })
      const { reconstruction, rounding: penalty } = result.losses
      const loss = yield* Effect.promise(() => reconstruction.item())
      const regularizer = penalty === undefined ? 0 : yield* Effect.promise(() => penalty.item())
      reconstruction.release()
      penalty?.release()
      return { state: { ...state, current: result.state }, metrics: { loss, regularizer } }
    })

    const program: Stage.Program<
      VisionRounding,
      { readonly quantizedVision: PackedWeights },
      SavedFileDamaged,
      Compute | Events
    > = {
      steps: blocksUsed(modelConfig) * stepsPerBlock,
      state: visionRoundingCodec,
      initial: Effect.succeed<VisionRounding>({ done: new Map(), reports: [], current: undefined }),
      step,
      finish: ({ done, reports }: VisionRounding) =>
        Effect.succeed({ output: { quantizedVision: done }, report: reportSections(reports) })
    }
    return program
  })
})

const announce = (report: BlockReport, { done }: VisionRounding) =>
  Effect.forEach(
    [...done].filter(([name]) => name.startsWith(`${report.block}.`)),
    ([name, { choice, bytes }]) =>
      emit(LayerQuantized, {
        layer: name.replace(/\.weight$/, ""),
        quantizer: choice.quantizer.id,
        bits: choice.quantizer.bitsPerWeight(choice.config),
        errorBefore: report.errorNearest,
        errorAfter: report.errorAdaround,
        bytes
      }),
    { discard: true }
  )

const reportSections = (reports: readonly BlockReport[]) => [
  {
    _tag: "BarChart" as const,
    title: "Reconstruction error of each vision block",
    yLabel: "squared error (sum over channels, mean over tokens)",
    logarithmic: true,
    series: ["what earlier blocks left", "rounded to nearest", "AdaRound"],
    groups: reports.map((report, index) => ({
      label: `block ${index}`,
      values: [report.errorBefore, report.errorNearest, report.errorAdaround]
    }))
  },
  {
    _tag: "Table" as const,
    title: "Vision blocks",
    columns: ["block", "before", "nearest", "AdaRound", "undecided roundings, %"],
    rows: reports.map((report, index) => [
      index,
      report.errorBefore,
      report.errorNearest,
      report.errorAdaround,
      100 * report.undecided
    ])
  }
]
