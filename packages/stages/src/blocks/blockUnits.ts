/**
 * Blocks as units of work that other processes compute, where none depends on another: each is fitted from beginning to end by one process,
 * from inputs of the full-precision model, which that makes from its own model and data. What it came to is in a file.
 */
import { releaseBlockState } from "@speedq/adaround"
import { releasePacked } from "@speedq/exports"
import { parameterOf } from "@speedq/formats"
import {
  FileRecord,
  numbered,
  type Stage,
  UnitComputers,
  type UnitFiles,
  UnitOffer,
  unitKind,
  unitsAhead,
  writeSaved
} from "@speedq/pipeline"
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { loadSaved } from "../artefacts/savedValue.ts"
import type { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { layersOfBlock } from "../model/modelBlocks.ts"
import type { Choices } from "../model/plannedLayers.ts"
import type { BlockSession } from "./BlockSession.ts"
import { beginBlock, drawIteration, type Fitting, finishBlock, iterate, numbersOf } from "./fitBlock.ts"
import { type WholeBlock, wholeBlockCodec } from "./wholeBlock.ts"

/** A block by its place in the tower. */
const blockUnit = unitKind("block", {
  input: Schema.Struct({ index: Schema.Int }),
  output: Schema.Struct({ fitted: FileRecord })
})

/** Fits the block at `index` from beginning to end. The caller releases its weights. */
const fitWhole = Effect.fnUntraced(function* <L extends Parameters, E, R>(
  fitting: Fitting<L>,
  session: BlockSession<E, R>,
  index: number
) {
  // Inputs are those of the full-precision model: what became of blocks before makes no difference.
  const block = yield* session.enter(new Map(), index, false)
  let state = yield* beginBlock(fitting, block, index)
  const metrics: Stage.Metrics[] = []
  return yield* Effect.gen(function* () {
    while (metrics.length < fitting.method.iterations) {
      const drawn = yield* drawIteration(fitting, { block, state })
      const stepped = yield* iterate(fitting, block, state, drawn)
      state = stepped.state
      metrics.push(yield* numbersOf(fitting, block, state, stepped.losses))
      // Whoever waits for this process hears of it.
      yield* Effect.yieldNow
    }
    const finished = yield* computing(() => finishBlock(fitting, block, state))
    return { ...finished, metrics } satisfies WholeBlock
  }).pipe(Effect.ensuring(Effect.sync(() => releaseBlockState(state))))
})

/** Offers to fit blocks for another process. */
export const offerBlocks = Effect.fnUntraced(function* <L extends Parameters, E extends Error, R>(
  fitting: Fitting<L>,
  session: BlockSession<E, R>
) {
  const offer = yield* UnitOffer
  if (offer === undefined) return
  const services = yield* Effect.context<R | FileSystem.FileSystem | Path.Path | Compute>()
  offer(blockUnit, ({ index }, files: UnitFiles) =>
    Effect.gen(function* () {
      const whole = yield* fitWhole(fitting, session, index)
      const fitted = yield* files
        .write("fitted", (path) => writeSaved(path, wholeBlockCodec.save(whole)))
        .pipe(Effect.ensuring(Effect.sync(() => releasePacked(whole.weights))))
      return { fitted }
    }).pipe(Effect.provideContext(services))
  )
})

interface BlocksOfStage {
  /** Directory of the stage. */
  readonly directory: string
  /** As reports name one of them: "vision block". */
  readonly title: string
  /** Places of the blocks in the tower, in order. */
  readonly blocks: readonly number[]
  /** Most bytes that one of them takes in a file. */
  readonly bytes: number
}

/** Bytes that the weights of no block exceed, however they are packed, with what is told of `iterations`. */
export const mostBlockBytes = (
  choices: Choices,
  { blocks: names, weights }: { readonly blocks: readonly string[]; readonly weights: Parameters },
  iterations: number
): number => {
  const sizeOf = (name: string) =>
    [...layersOfBlock(choices, name).keys()].reduce((sum, layer) => sum + weights[parameterOf(layer)]!.size, 0)
  return 4 * Math.max(0, ...names.map(sizeOf)) + 64 * iterations
}

/**
 * Hands blocks out to others, in order, for the life of the scope; undefined where nobody computes for this process. Gives what others made
 * of one, by its place among `blocks`, whose weights the caller releases; undefined where it is to be fitted here.
 */
export const blocksElsewhere = Effect.fnUntraced(function* ({ directory, title, blocks, bytes }: BlocksOfStage) {
  const begun = (yield* UnitComputers)?.begin({
    ...{ stage: directory, name: "blocks-00000000", title: `the ${title}s` },
    // Their weights are the stage's result.
    ...{ bits: "same", unitBytes: bytes, isTold: true }
  })
  const batch = begun === undefined ? undefined : yield* begun
  if (batch === undefined) return undefined
  yield* Effect.addFinalizer(() => batch.end)
  const waiting = new Set<WholeBlock>()
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      for (const { weights } of waiting) releasePacked(weights)
    })
  )
  const take = ({ fitted }: { readonly fitted: FileRecord }) =>
    Effect.flatMap(batch.files.pathOf(fitted), (path) => loadSaved(wholeBlockCodec, path)).pipe(
      Effect.tap((whole) => Effect.sync(() => waiting.add(whole)))
    )
  const ask = (at: number) => {
    const index = blocks[at]!
    const unit = { name: numbered("block", index, 4), title: `${title} ${index}`, input: { index } }
    return batch.ask(blockUnit, unit, take)
  }
  // One at a time: it takes long beside handing it out, and none waits at a runner while another one has nothing to do.
  const { resultOf } = yield* unitsAhead({ batch, count: blocks.length, perRunner: 1, ask })
  return (at: number) =>
    Effect.tap(resultOf(at), (whole) =>
      Effect.sync(() => {
        if (whole !== undefined) waiting.delete(whole)
      })
    )
})
