/** The program of a block-wise stage: block after block, so many iterations each, then the step that makes its weights permanent. */
import { releaseBlockState } from "@speedq/adaround"
import { releasePacked } from "@speedq/exports"
import { emit, formatNumber, type Report, RunEvents, Stage } from "@speedq/pipeline"
import type { PackedWeights } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { type Seen, seenTogether } from "../calibration/seen.ts"
import { arrivesLater } from "../compute/arriving.ts"
import { computing } from "../compute/computing.ts"
import { layersOfBlock } from "../model/modelBlocks.ts"
import { owned, owningState } from "../model/stageMemory.ts"
import { type BlockProgress, blockProgressCodec, type FittedBlock } from "./BlockProgress.ts"
import { type BlockWeighing, makeBlockSession } from "./BlockSession.ts"
import { type BlockTower, quantizedBlocks } from "./BlockTower.ts"
import { blockSections, factsOfBlock, fittedLayers } from "./blockSections.ts"
import { blocksElsewhere, mostBlockBytes, offerBlocks } from "./blockUnits.ts"
import {
  beginBlock,
  drawIteration,
  type FinishedBlock,
  type Fitting,
  finishBlock,
  iterate,
  numbersOf
} from "./fitBlock.ts"
import { beginParts, type HandOut, offerParts } from "./miniBatchUnits.ts"
import type { WholeBlock } from "./wholeBlock.ts"

interface Left {
  readonly sections: readonly Report.Section[]
  readonly files: readonly string[]
}

interface FitBlocksOptions<L extends Parameters, E, R, Out> extends Fitting<L> {
  readonly tower: BlockTower<E, R>
  /** Gradient of the task's loss at a block's full-precision output of a sample; undefined where errors count alike. */
  readonly weighing?: BlockWeighing | undefined
  /**
   * What other processes may compute, and the stage's directory: whole blocks, where none depends on another, or the parts that a
   * mini-batch is cut into.
   */
  readonly shared?: { readonly directory: string; readonly units: "blocks" | "parts" } | undefined
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
  const { tower, choices, caches, method, weighing, shared, output, leave } = options
  const session = yield* owned(
    Effect.sync(() => makeBlockSession({ tower, choices, caches, weighing })),
    ({ close }) => close()
  )
  const stageScope = yield* Effect.scope
  const blocks = quantizedBlocks(choices, tower.blocks)
  const stepsPerBlock = method.iterations + 1
  const factsOf = (report: FittedBlock, done: PackedWeights) =>
    factsOfBlock(report, done, layersOfBlock(choices, report.block))
  if (shared?.units === "blocks") yield* offerBlocks(options, session)
  if (shared?.units === "parts" && method.cut !== undefined) yield* offerParts(caches, method.cut, session)

  // Begun with the first step, where it is known which blocks are still to be begun: those from place `first` on.
  let elsewhere: { readonly of: Effect.Success<ReturnType<typeof blocksElsewhere>>; readonly first: number } | undefined
  const beginElsewhere = Effect.fnUntraced(function* (directory: string, first: number) {
    const bytes = mostBlockBytes(choices, tower, method.iterations)
    const of = yield* Scope.provide(
      blocksElsewhere({ directory, title: tower.title, blocks: blocks.slice(first), bytes }),
      stageScope
    )
    return { of, first }
  })
  /** What others made of the block at this place, which nobody has begun here; undefined where it is to be fitted here. */
  const fromElsewhere = Effect.fnUntraced(function* ({ current }: BlockProgress<L>, place: number) {
    if (shared?.units !== "blocks") return undefined
    elsewhere ??= yield* beginElsewhere(shared.directory, current === undefined ? place : place + 1)
    const { of, first } = elsewhere
    // It may take hours: a run that is interrupted does not wait for it.
    return current !== undefined || of === undefined ? undefined : yield* Effect.interruptible(of(place - first))
  })

  /** The block whose mini-batches are shared. */
  let sharing:
    | { readonly index: number; readonly scope: Scope.Closeable; readonly handOut: HandOut | undefined }
    | undefined
  const endSharing = Effect.suspend(() => {
    const before = sharing
    sharing = undefined
    return before === undefined ? Effect.void : Scope.close(before.scope, Exit.void)
  })
  yield* Effect.addFinalizer(() => endSharing)
  /** Hands out parts of the mini-batches of a block; undefined where they are computed here. */
  const handOutOf = Effect.fnUntraced(function* ({ done }: BlockProgress<L>, index: number) {
    if (shared?.units !== "parts") return undefined
    if (sharing?.index === index) return sharing.handOut
    yield* endSharing
    const scope = yield* Scope.make()
    const block = { directory: shared.directory, title: tower.title, index, done }
    sharing = { index, scope, handOut: yield* Scope.provide(beginParts(block), scope) }
    return sharing.handOut
  })

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
      yield* endSharing
      const finished = yield* computing(() => finishBlock(options, block, state))
      releaseBlockState(state)
      const next = withBlock({ ...progress, seen }, finished)
      yield* announce(method.name, finished.report, factsOf(finished.report, next.done))
      // The error of a whole block is no loss of a mini-batch, and has no place on its curve.
      return { state: next, metrics: {} }
    }
    const drawn = yield* drawIteration(options, { block, state, handOut: yield* handOutOf(progress, index) })
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
    const whole = yield* fromElsewhere(progress, place)
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
