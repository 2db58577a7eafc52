/**
 * How fast this machine does the pieces of work that stages repeat: a layer forward and back, the optimizer, quantizing. Forecasts of
 * time rest on these, as machines differ by a hundred times, and products from everything else by as much again. Each piece is small, is
 * done until two times agree, and the best one counts: it is what a machine that does nothing else takes.
 */
import os from "node:os"
import { type Arithmetic, type Backend, openBackend, type Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Compute } from "../compute/Compute.ts"
import { computing } from "../compute/computing.ts"
import { PlannedArithmetic } from "../compute/meaningOn.ts"

/** A piece of work, and what it needs, made once. */
export interface Prepared {
  /** Does it once. A result, which is read and released, is small; work that waits for itself has none. */
  readonly run: () => Tensor | Promise<void>
  readonly release: () => void
}

export interface Piece {
  /** Says what is done on what: pieces of one name are measured once in a process. */
  readonly name: string
  /** How much of the work it does, in any unit: operations, weights, numbers. */
  readonly amount: number
  /** Raises what a backend raises; nothing stays allocated then. */
  readonly prepare: (backend: Backend) => Prepared | Promise<Prepared>
}

/**
 * Operations of a piece, at most: a twentieth of a second on two cores without a BLAS. It is enough for 48 rows of a layer of a model with
 * a billion weights, on which an operation takes at most 7 % longer than on 64.
 */
export const mostOperations = 1.6e9
/** Weights of a piece whose time goes to memory, at most. */
export const mostWeights = 2 ** 21

interface Speeds<Name extends string> {
  /** Seconds of one unit of a piece's work; 0 of one that there is none of. */
  readonly seconds: { readonly [name in Name]: number }
  /** What a forecast says of a machine that was not quiet. */
  readonly notes: readonly string[]
}

interface Measured {
  readonly seconds: number
  readonly spread: number
}

/** Milliseconds of runs of short work, at least: the first ones compile, wake threads, and find memory. */
const enough = 15
/** Milliseconds after which work is not done again, whatever its times were. */
const patience = 150
/** The two best times of a quiet machine differ by less than this. */
const agreeing = 1.15
/** Times that differ by more than this are disturbed by other work. */
const disturbed = 1.5
/** Below so many milliseconds the spread tells of timers. */
const tooShort = 2

const timeOnce = async ({ run }: Prepared): Promise<number> => {
  const begun = performance.now()
  const result = await run()
  if (result !== undefined) await result.read().finally(() => result.release())
  return performance.now() - begun
}

/** Does the work until its best time was seen twice. */
const measure = async (backend: Backend, { amount, prepare }: Piece): Promise<Measured> => {
  const prepared = await prepare(backend)
  try {
    let [best, second, spent] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0]
    while (second === Number.POSITIVE_INFINITY || spent < enough || (spent < patience && second > agreeing * best)) {
      const time = await timeOnce(prepared)
      spent += time
      ;[best, second] = time < best ? [time, best] : [best, Math.min(second, time)]
    }
    return { seconds: best / 1000 / amount, spread: best < tooShort ? 1 : second / best }
  } finally {
    prepared.release()
  }
}

/** Stand for the processor's own backend among those that were measured on. */
const processor: { readonly [A in Arithmetic]: object } = { f32: {}, bf16: {} }
const known = new WeakMap<object, Map<string, Promise<Measured>>>()

const measureAll = async (
  backend: Backend | undefined,
  arithmetic: Arithmetic,
  pieces: readonly Piece[]
): Promise<ReadonlyMap<string, Measured>> => {
  const measured = known.get(backend ?? processor[arithmetic]) ?? new Map<string, Promise<Measured>>()
  known.set(backend ?? processor[arithmetic], measured)
  const missing = pieces.filter(({ name }) => !measured.has(name))
  const on = missing.length === 0 ? undefined : (backend ?? (await openBackend("native", { arithmetic })))
  try {
    for (const piece of missing) {
      if (!measured.has(piece.name)) measured.set(piece.name, measure(on!, piece))
      await measured.get(piece.name)
    }
  } finally {
    if (backend === undefined) await on?.close()
  }
  const found = new Map<string, Measured>()
  for (const { name } of pieces) found.set(name, await measured.get(name)!)
  return found
}

const spreadNotes = (spread: number): readonly string[] =>
  spread <= disturbed
    ? []
    : [
        `something else runs on this machine: the same work took ${spread.toFixed(1)} times as long at the next best attempt; the time is that of the fastest one`
      ]

/** Work that waits for a processor, over all processors, from which on measurements are disturbed throughout. */
const crowded = 1.25

/** The load average before the first measurement: later ones are of measurements, too. */
let loadBefore: number | undefined

const loadNotes = (load: number): readonly string[] => {
  const processors = os.availableParallelism()
  if (load <= crowded * processors) return []
  return [
    `this machine was busy in the last minute (load average ${load.toFixed(1)} on ${processors} processors): the time may be too long by as much; plan again when it is quiet`
  ]
}

/**
 * Speeds on the backend that a run computes with, and on the processor where there is none yet: a plan. None where the backend does not
 * start, or has no memory for a piece: the forecast of memory says more of that.
 */
export const measureSpeeds = Effect.fn("measureSpeeds")(function* <Name extends string>(
  pieces: {
    readonly [name in Name]: Piece | undefined
  }
) {
  loadBefore ??= os.loadavg()[0] ?? 0
  const load = loadBefore
  const backend = Option.getOrUndefined(yield* Effect.serviceOption(Compute))?.backend
  const entries = Object.entries<Piece | undefined>(pieces)
  const there = entries.flatMap(([, piece]) => piece ?? [])
  const arithmetic = yield* PlannedArithmetic
  const measuring = computing(() => measureAll(backend, arithmetic, there))
  return Option.map(yield* Effect.option(measuring), (measured): Speeds<Name> => {
    const seconds = Object.fromEntries(
      entries.map(([name, piece]) => [name, piece === undefined ? 0 : measured.get(piece.name)!.seconds])
    )
    // One piece alone may have waited for this process's own garbage.
    const [, spread = 1] = [...measured.values()].map((each) => each.spread).sort((a, b) => b - a)
    return { seconds: seconds as Speeds<Name>["seconds"], notes: [...spreadNotes(spread), ...loadNotes(load)] }
  })
})
