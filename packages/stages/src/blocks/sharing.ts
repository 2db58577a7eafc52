/** What a stage that fits blocks shares with other processes: offers it on a runner, and hands it out in a run. */
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { BlockProgress } from "./BlockProgress.ts"
import type { BlockSession } from "./BlockSession.ts"
import type { BlockTower } from "./BlockTower.ts"
import { blocksElsewhere, mostBlockBytes, offerBlocks } from "./blockUnits.ts"
import type { Fitting } from "./fitBlock.ts"
import { beginParts, type HandOut, offerParts } from "./miniBatchUnits.ts"

/**
 * What other processes may compute, and the stage's directory: whole blocks, where none depends on another, or the parts that a mini-batch
 * is cut into.
 */
export interface Shared {
  readonly directory: string
  readonly units: "blocks" | "parts"
}

interface SharingStage<L extends Parameters, E, R> extends Fitting<L> {
  readonly tower: BlockTower<E, R>
  /** Undefined where nothing may be shared. */
  readonly shared?: Shared | undefined
}

/** For the life of the scope. `blocks` are places in the tower, in order. */
export const shareBlocks = Effect.fnUntraced(function* <L extends Parameters, E extends Error, R>(
  stage: SharingStage<L, E, R>,
  session: BlockSession<E, R>,
  blocks: readonly number[]
) {
  const { tower, choices, caches, method, shared } = stage
  const stageScope = yield* Effect.scope
  if (shared?.units === "blocks") yield* offerBlocks(stage, session)
  if (shared?.units === "parts" && method.cut !== undefined) yield* offerParts(caches, method.cut, session)

  // Begun with the first step, where it is known which blocks are still to be begun: those from place `first` on.
  let elsewhere: { readonly of: Effect.Success<ReturnType<typeof blocksElsewhere>>; readonly first: number } | undefined
  const beginElsewhere = Effect.fnUntraced(function* (directory: string, first: number) {
    const bytes = mostBlockBytes(choices, tower, method.iterations)
    const begun = blocksElsewhere({ directory, title: tower.title, blocks: blocks.slice(first), bytes })
    return { of: yield* Scope.provide(begun, stageScope), first }
  })
  /** What others made of the block at this place, which nobody has begun here; undefined where it is to be fitted here. */
  const wholeOf = Effect.fnUntraced(function* ({ current }: BlockProgress<L>, place: number) {
    if (shared?.units !== "blocks") return undefined
    elsewhere ??= yield* beginElsewhere(shared.directory, current === undefined ? place : place + 1)
    const { of, first } = elsewhere
    // It may take hours: a run that is interrupted does not wait for it.
    return current !== undefined || of === undefined ? undefined : yield* Effect.interruptible(of(place - first))
  })

  /** The block whose mini-batches are shared now. */
  let open:
    | { readonly index: number; readonly scope: Scope.Closeable; readonly handOut: HandOut | undefined }
    | undefined
  /** No mini-batch of the block is to come. */
  const endBlock = Effect.suspend(() => {
    const before = open
    open = undefined
    return before === undefined ? Effect.void : Scope.close(before.scope, Exit.void)
  })
  yield* Effect.addFinalizer(() => endBlock)
  /** Hands out parts of the mini-batches of a block; undefined where they are computed here. */
  const handOutOf = Effect.fnUntraced(function* ({ done }: BlockProgress<L>, index: number) {
    if (shared?.units !== "parts") return undefined
    if (open?.index === index) return open.handOut
    yield* endBlock
    const scope = yield* Scope.make()
    const block = { directory: shared.directory, title: tower.title, index, done }
    open = { index, scope, handOut: yield* Scope.provide(beginParts(block), scope) }
    return open.handOut
  })
  return { wholeOf, handOutOf, endBlock }
})
