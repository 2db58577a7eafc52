/** The program of a block-wise stage: block after block, so many iterations each, then the step that makes its weights permanent. */
import { type Block, type BlockState, readLosses, releaseBlockState, reportBlock } from "@speedq/adaround"
import { releasePacked } from "@speedq/exports"
import { emit, formatNumber, type Report, RunEvents, Stage } from "@speedq/pipeline"
import { type PackedWeights, packWeight, type QuantizedWeight } from "@speedq/quantizers"
import { noGrad, type Parameters, Random, scope, type Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { type Seen, seenTogether } from "../calibration/seen.ts"
import { arrivesLater, arriving } from "../compute/arriving.ts"
import { computing } from "../compute/computing.ts"
import { layersOfBlock } from "../model/modelBlocks.ts"
import type { PlannedLayers } from "../model/plannedLayers.ts"
import { owned, owningState } from "../model/stageMemory.ts"
import type { BlockCaches } from "./BlockCaches.ts"
import type { BlockMethod } from "./BlockMethod.ts"
import { type BlockProgress, blockProgressCodec, type FittedBlock } from "./BlockProgress.ts"
import { type BlockWeighing, makeBlockSession } from "./BlockSession.ts"
import { type BlockTower, quantizedBlocks } from "./BlockTower.ts"
import { blockSections, factsOfBlock, fittedLayers } from "./blockSections.ts"

interface Left {
  readonly sections: readonly Report.Section[]
  readonly files: readonly string[]
}

interface FitBlocksOptions<L extends Parameters, E, R, Out> {
  readonly tower: BlockTower<E, R>
  readonly choices: PlannedLayers["choices"]
  readonly caches: BlockCaches
  readonly method: BlockMethod<L>
  /** Of the stage. */
  readonly seed: number
  /** What becomes of a block that is worse than rounded to nearest. */
  readonly worse: "nearest" | "keep"
  /** Gradient of the task's loss at a block's full-precision output of a sample; undefined where errors count alike. */
  readonly weighing?: BlockWeighing | undefined
  /** What the stage gives, out of the weights of all blocks. */
  readonly output: (done: PackedWeights) => Out
  /** What is left of the samples: what the report says of them, and files. */
  readonly leave: (seen: Seen | undefined) => Effect.Effect<Left, E, R>
}

interface Finishing<L extends Parameters> {
  readonly block: Block
  readonly state: BlockState<L>
  readonly progress: BlockProgress<L>
}

/** Makes the weights of a finished block permanent: packs them and measures what was won. */
const finishBlock = async <L extends Parameters>(
  {
    choices,
    caches,
    method,
    worse
  }: Pick<FitBlocksOptions<L, never, never, never>, "choices" | "caches" | "method" | "worse">,
  { block, state, progress }: Finishing<L>
): Promise<BlockProgress<L>> => {
  const done = new Map(progress.done)
  const measured = await reportBlock(block, () => method.weights(block, state), caches, method.batch)
  const undecided = await method.undecided?.(state)
  const backToNearest = worse === "nearest" && measured.errorFitted > measured.errorNearest
  const storedOf = (layer: string): QuantizedWeight => {
    const grid = block.grids[layer]!
    // The sign of an alpha that was not optimized is that of rounding to nearest.
    return backToNearest ? grid.stored(grid.initialAlpha()) : method.stored(block, layer, state.layers[layer]!)
  }
  for (const layer of Object.keys(state.layers)) {
    const stored = noGrad(() => scope(() => storedOf(layer)))
    done.set(layer, await packWeight(layer, choices.get(layer)!, block.grids[layer]!.weight.shape, stored))
    for (const tensor of Object.values<Tensor>(stored)) tensor.release()
  }
  releaseBlockState(state)
  const report: FittedBlock = {
    ...measured,
    ...(undecided !== undefined && { undecided }),
    kept: backToNearest ? "nearest" : method.name
  }
  return { ...progress, done, reports: [...progress.reports, report], current: undefined }
}

/** Tells of a finished block. */
const announce = Effect.fnUntraced(function* (method: string, report: FittedBlock, facts: readonly Report.LayerFact[]) {
  const { block, errorNearest, errorFitted, kept } = report
  if (kept === "nearest") {
    const message = `${block}: error ${formatNumber(errorFitted)} after ${method}, ${formatNumber(errorNearest)} rounded to nearest, which was kept; more iterations or a higher learning rate may help`
    yield* emit(RunEvents.Warning, { message })
  }
  for (const fact of facts) yield* emit(RunEvents.LayerQuantized, fact)
})

/** For the life of the scope, which owns the blocks that are open and the newest state. */
export const fitBlocks = Effect.fnUntraced(function* <L extends Parameters, E, R, Out>(
  options: FitBlocksOptions<L, E, R, Out>
) {
  const { tower, choices, caches, method, seed, weighing, output, leave } = options
  const session = yield* owned(
    Effect.sync(() => makeBlockSession({ tower, choices, caches, weighing })),
    ({ close }) => close()
  )
  const blocks = quantizedBlocks(choices, tower.blocks)
  const stepsPerBlock = method.iterations + 1
  const factsOf = (report: FittedBlock, done: PackedWeights) =>
    factsOfBlock(report, done, layersOfBlock(choices, report.block))

  // An iteration changes its tensors in place: one that fails may have changed some of them.
  let changing = false

  /** One iteration of the current block; after the last, the step that makes its weights permanent. */
  const step = Effect.fnUntraced(function* (progress: BlockProgress<L>, done: number) {
    const index = blocks[Math.floor(done / stepsPerBlock)]!
    const block = yield* session.enter(progress.done, index, done === 0)
    const found = tower.seen?.()
    const seen = found && seenTogether(progress.seen, found)
    const random = Random.make(seed, `mini-batches of block ${index}`)
    const state = progress.current ?? (yield* computing(() => noGrad(() => scope(() => method.initial(block, random)))))
    if (done % stepsPerBlock === method.iterations) {
      const next = yield* computing(() => finishBlock(options, { block, state, progress: { ...progress, seen } }))
      const report = next.reports.at(-1)!
      yield* announce(method.name, report, factsOf(report, next.done))
      // The error of a whole block is no loss of a mini-batch, and has no place on its curve.
      return { state: next, metrics: {} }
    }
    const drawn = method.draw(state, caches.count)
    changing = true
    const { state: next, losses } = yield* computing(() =>
      scope(() => method.step(block, { ...state, random: drawn.random }, caches.batch(drawn.chosen)))
    )
    const after: BlockProgress<L> = { ...progress, seen, current: next }
    const isLate = arrivesLater(losses.reconstruction)
    const numbers = Effect.map(arriving(readLosses(block, next, losses)), method.metrics)
    const spoil = Effect.sync(() => {
      changing = true
    })
    const metrics = isLate ? Effect.tapError(numbers, () => spoil) : yield* numbers
    changing = false
    return { state: after, metrics }
  })

  const program = Stage.program({
    steps: blocks.length * stepsPerBlock,
    state: blockProgressCodec(method),
    initial: Effect.succeed<BlockProgress<L>>({ done: new Map(), reports: [], current: undefined }),
    step,
    isIntact: () => !changing,
    finish: Effect.fnUntraced(function* ({ done, reports, seen }: BlockProgress<L>) {
      const { sections, files } = yield* leave(seen)
      return {
        output: output(done),
        report: [
          ...blockSections(tower.title, method.name, reports),
          ...fittedLayers(reports.flatMap((report) => factsOf(report, done))),
          ...sections
        ],
        files
      }
    })
  })
  return yield* owningState(program, ({ done, current }) => {
    releasePacked(done)
    if (current) releaseBlockState(current)
  })
})
