/** The program of a block-wise stage: block after block, so many iterations each, then the step that makes its weights permanent. */
import { releaseBlockState } from "@speedq/adaround"
import { releasePacked } from "@speedq/exports"
import { emit, formatNumber, type Report, RunEvents, Stage } from "@speedq/pipeline"
import type { PackedWeights } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { type Seen, seenTogether } from "../calibration/seen.ts"
import { arrivesLater } from "../compute/arriving.ts"
import { computing } from "../compute/computing.ts"
import { layersOfBlock } from "../model/modelBlocks.ts"
import { owned, owningState } from "../model/stageMemory.ts"
import { type BlockProgress, blockProgressCodec, type FittedBlock } from "./BlockProgress.ts"
import { type BlockWeighing, makeBlockSession } from "./BlockSession.ts"
import { type BlockTower, quantizedBlocks } from "./BlockTower.ts"
import { blockSections, factsOfBlock, fittedLayers } from "./blockSections.ts"
import {
  beginBlock,
  drawIteration,
  type FinishedBlock,
  type Fitting,
  finishBlock,
  iterate,
  numbersOf
} from "./fitBlock.ts"
import { type Shared, shareBlocks } from "./sharing.ts"
import type { WholeBlock } from "./wholeBlock.ts"

interface Left {
  readonly sections: readonly Report.Section[]
  readonly files: readonly string[]
}

interface FitBlocksOptions<L extends Parameters, E, R, Out> extends Fitting<L> {
  readonly tower: BlockTower<E, R>
  /** Gradient of the task's loss at a block's full-precision output of a sample; undefined where errors count alike. */
  readonly weighing?: BlockWeighing | undefined
  /** What other processes may compute; undefined where they may compute nothing. */
  readonly shared?: Shared | undefined
  /** What the stage gives, out of the weights of all blocks. */
  readonly output: (done: PackedWeights) => Out
  /** What is left of the samples: what the report says of them, and files. */
  readonly leave: (seen: Seen | undefined) => Effect.Effect<Left, E, R>
}

/** Progress with one more block. */
const withBlock = <L extends Parameters>(
  progress: BlockProgress<L>,
  { weights, report }: FinishedBlock
): BlockProgress<L> => ({
  ...progress,
  done: new Map([...progress.done, ...weights]),
  reports: [...progress.reports, report],
  current: undefined
})

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
export const fitBlocks = Effect.fnUntraced(function* <L extends Parameters, E extends Error, R, Out>(
  options: FitBlocksOptions<L, E, R, Out>
) {
  const { tower, choices, caches, method, weighing, output, leave } = options
  const session = yield* owned(
    Effect.sync(() => makeBlockSession({ tower, choices, caches, weighing })),
    ({ close }) => close()
  )
  const blocks = quantizedBlocks(choices, tower.blocks)
  const stepsPerBlock = method.iterations + 1
  const factsOf = (report: FittedBlock, done: PackedWeights) =>
    factsOfBlock(report, done, layersOfBlock(choices, report.block))
  const sharing = yield* shareBlocks(options, session, blocks)

  // An iteration changes its tensors in place: one that fails may have changed some of them.
  let changing = false

  /** One iteration of a block here; after the last, the step that makes its weights permanent. */
  const fitHere = Effect.fnUntraced(function* (progress: BlockProgress<L>, done: number) {
    const index = blocks[Math.floor(done / stepsPerBlock)]!
    const block = yield* session.enter(progress.done, index, done === 0)
    const found = tower.seen?.()
    const seen = found && seenTogether(progress.seen, found)
    const state = progress.current ?? (yield* beginBlock(options, block, index))
    if (done % stepsPerBlock === method.iterations) {
      yield* sharing.endBlock
      const finished = yield* computing(() => finishBlock(options, block, state))
      releaseBlockState(state)
      const next = withBlock({ ...progress, seen }, finished)
      yield* announce(method.name, finished.report, factsOf(finished.report, next.done))
      // The error of a whole block is no loss of a mini-batch, and has no place on its curve.
      return { state: next, metrics: {} }
    }
    const handOut = yield* sharing.handOutOf(progress, index)
    const drawn = yield* drawIteration(options, { block, state, handOut }).pipe(
      // One that was begun with this step is nobody's yet.
      Effect.onError(() => Effect.sync(() => progress.current === undefined && releaseBlockState(state)))
    )
    changing = true
    const { state: next, losses } = yield* iterate(options, block, state, drawn)
    const after: BlockProgress<L> = { ...progress, seen, current: next }
    const isLate = arrivesLater(losses.reconstruction)
    const numbers = numbersOf(options, block, next, losses)
    const spoil = Effect.sync(() => {
      changing = true
    })
    const metrics = isLate ? Effect.tapError(numbers, () => spoil) : yield* numbers
    changing = false
    return { state: after, metrics }
  })

  let told: WholeBlock["metrics"] = []
  /** A step of a block that others fitted, and that is done: tells what it was. After a run was continued in the middle, its numbers are gone. */
  const tellWhole = Effect.fnUntraced(function* (progress: BlockProgress<L>, iteration: number) {
    const report = progress.reports.at(-1)!
    if (iteration === method.iterations) yield* announce(method.name, report, factsOf(report, progress.done))
    return { state: progress, metrics: told[iteration] ?? {} }
  })

  const step = Effect.fnUntraced(function* (progress: BlockProgress<L>, done: number) {
    const [place, iteration] = [Math.floor(done / stepsPerBlock), done % stepsPerBlock]
    if (done === 0) yield* tower.begins ?? Effect.void
    if (progress.reports.length > place) return yield* tellWhole(progress, iteration)
    const whole = yield* sharing.wholeOf(progress, place)
    if (whole === undefined) return yield* fitHere(progress, done)
    told = whole.metrics
    return yield* tellWhole(withBlock(progress, whole), iteration)
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
