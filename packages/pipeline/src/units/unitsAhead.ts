/**
 * Units that one process needs in order and others compute out of order: handed out ahead of it, as many as keep every runner busy. What
 * nobody else can compute, it computes itself.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import type { UnitBatch } from "./UnitComputers.ts"

interface AheadOptions<A, R> {
  readonly batch: Pick<UnitBatch, "runners">
  readonly count: number
  /** Units that a runner has at once: one that it computes, and others that wait so that it need not. */
  readonly perRunner: number
  /** Hands the unit at this place out. */
  readonly ask: (at: number) => Effect.Effect<Effect.Effect<A | undefined, never, R>>
  /** Whether a unit may begin while those at these places are being computed. Asked again until it may. */
  readonly mayBegin?: (at: number, underWay: readonly number[]) => Effect.Effect<boolean>
}

/** How often it is looked whether a runner has come, or a unit may begin that could not. */
const lookMilliseconds = 500

/** Lives as long as the scope. */
export const unitsAhead = Effect.fnUntraced(function* <A, R>({
  batch,
  count,
  perRunner,
  ask,
  mayBegin = () => Effect.succeed(true)
}: AheadOptions<A, R>) {
  const scope = yield* Effect.scope
  const one = yield* Semaphore.make(1)
  const open = new Set(Array.from({ length: count }, (_, at) => at))
  const asked = new Map<number, Fiber.Fiber<A | undefined>>()
  /** Handed out and not answered yet; to be computed here and not done. */
  const [out, here] = [new Set<number>(), new Set<number>()]
  const underWay = () => [...out, ...here]

  const handOut: (at: number) => Effect.Effect<void, never, R> = Effect.fnUntraced(function* (at) {
    open.delete(at)
    out.add(at)
    const answer = yield* ask(at)
    const done = (result: A | undefined) =>
      Effect.sync(() => {
        out.delete(at)
        if (result === undefined) here.add(at)
      })
    const fiber = yield* Effect.forkIn(answer.pipe(Effect.tap(done), Effect.tap(fill)), scope)
    asked.set(at, fiber)
  })
  const fill: Effect.Effect<void, never, R> = one.withPermit(
    Effect.gen(function* () {
      if (open.size === 0) return
      const room = perRunner * (yield* batch.runners)
      for (const at of [...open].sort((a, b) => a - b)) {
        if (out.size >= room) return
        if (yield* mayBegin(at, underWay())) yield* handOut(at)
      }
    })
  )
  yield* Effect.forkIn(Effect.repeat(fill, Schedule.spaced(lookMilliseconds)), scope)

  /** Takes a unit to be computed here; whether that is possible now. */
  const takeHere = (at: number) =>
    one.withPermit(
      Effect.gen(function* () {
        const isFree = open.has(at) && (yield* batch.runners) === 0 && (yield* mayBegin(at, underWay()))
        if (!isFree) return false
        open.delete(at)
        here.add(at)
        return true
      })
    )

  /** What others made of the unit at this place; undefined where it is to be computed here, between this and `doneHere`. */
  const resultOf = Effect.fnUntraced(function* (at: number) {
    while (true) {
      yield* fill
      const fiber = asked.get(at)
      if (fiber !== undefined) {
        asked.delete(at)
        return yield* Fiber.join(fiber)
      }
      if (yield* takeHere(at)) return undefined
      yield* Effect.sleep(lookMilliseconds)
    }
  })
  const doneHere = (at: number) => Effect.sync(() => void here.delete(at))
  return { resultOf, doneHere }
})
