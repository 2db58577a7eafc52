/** Worker threads that prepare samples while the run computes: started when first needed, ended with the run. */
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import { Machine } from "@speedq/pipeline"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { DataUnusable, reasonOf } from "../Errors.ts"
import type { LoadingPlan, SampleLoader } from "./SampleLoader.ts"
import { type Reply, type Request, type Results, ready, stop } from "./workerProtocol.ts"

/** A thread that prepares samples did not start, or ended. Nothing is prepared in its place. */
export class SampleWorkerFailed extends Schema.TaggedError<SampleWorkerFailed>()("SampleWorkerFailed", {
  reason: Schema.String
}) {
  override get message(): string {
    return `a worker thread that prepares samples failed: ${this.reason}`
  }
}

type Failure = DataUnusable | SampleWorkerFailed

/** A loader whose work is done elsewhere. */
export interface RemoteLoader {
  /** Threads that work for it. */
  readonly threads: number
  readonly batch: (...args: Parameters<SampleLoader["batch"]>) => Effect.Effect<Results["batch"], Failure>
  readonly lengths: (...args: Parameters<SampleLoader["lengths"]>) => Effect.Effect<Results["lengths"], Failure>
  readonly look: (...args: Parameters<SampleLoader["look"]>) => Effect.Effect<Results["look"], Failure>
}

interface SampleWorkersOptions {
  /** Threads of a mixture that asks for no number. Default: by the processors and the memory of the machine. */
  readonly count?: number
  /** Largest JavaScript heap of a thread. Default: Node's own. */
  readonly heapMegabytes?: number
}

export class SampleWorkers extends Context.Service<
  SampleWorkers,
  {
    /** Threads of a mixture that asks for no number. */
    readonly count: number
    /**
     * Opens a mixture on some threads for the life of the scope; each request goes to the thread with the fewest. What it gives
     * does not depend on their number.
     */
    readonly open: (plan: LoadingPlan, threads?: number) => Effect.Effect<RemoteLoader, Failure, Scope.Scope>
  }
>()("speedq/SampleWorkers") {
  static readonly layer = (options: SampleWorkersOptions = {}) => Layer.effect(SampleWorkers, makeWorkers(options))
}

/** A request without the number that pairs it with its reply. */
type Unnumbered<R> = R extends Request ? Omit<R, "id"> : never

interface Thread {
  readonly send: <T extends Request["_tag"]>(
    request: Extract<Unnumbered<Request>, { readonly _tag: T }>
  ) => Effect.Effect<Results[T], Failure>
  /** Requests without a reply yet. */
  readonly pending: () => number
  readonly end: Effect.Effect<void>
}

/**
 * What a thread runs: the compiled module. From TypeScript sources it needs a loader first, which takes a second; tests that follow a
 * build (SPEEDQ_TEST_BUILT=1) spare it.
 */
const program = ((): { readonly entry: string; readonly execArgv: string[] } => {
  if (!import.meta.url.endsWith(".ts")) return { entry: "./sampleWorker.js", execArgv: [] }
  if (process.env["SPEEDQ_TEST_BUILT"] === "1") return { entry: "../../dist/data/sampleWorker.js", execArgv: [] }
  return { entry: "./sourceWorker.mjs", execArgv: ["-C", "@speedq/source"] }
})()

const startThread = (heapMegabytes: number | undefined) =>
  Effect.callback<Thread, SampleWorkerFailed>((resume) => {
    const resourceLimits = heapMegabytes === undefined ? {} : { maxOldGenerationSizeMb: heapMegabytes }
    const worker = new Worker(new URL(program.entry, import.meta.url), { execArgv: program.execArgv, resourceLimits })
    const waiting = new Map<number, (outcome: Effect.Effect<Results[keyof Results], Failure>) => void>()
    let requests = 0
    let ended: SampleWorkerFailed | undefined

    const fail = (reason: string): void => {
      ended ??= new SampleWorkerFailed({ reason })
      for (const settle of waiting.values()) settle(Effect.fail(ended))
      waiting.clear()
      resume(Effect.fail(ended))
    }
    const outcomeOf = (reply: Reply): Effect.Effect<Results[keyof Results], Failure> => {
      if (reply._tag === "done") return Effect.succeed(reply.result)
      const { reason } = reply
      if (reply._tag === "defect") return Effect.fail(new SampleWorkerFailed({ reason }))
      return Effect.fail(new DataUnusable({ reason, ...(reply.fix !== undefined && { fix: reply.fix }) }))
    }
    const thread: Thread = {
      pending: () => waiting.size,
      send: <T extends Request["_tag"]>(request: Extract<Unnumbered<Request>, { readonly _tag: T }>) =>
        Effect.callback<Results[T], Failure>((settle) => {
          if (ended !== undefined) return settle(Effect.fail(ended))
          const id = requests++
          worker.ref()
          waiting.set(id, (outcome) => settle(outcome as Effect.Effect<Results[T], Failure>))
          worker.postMessage({ ...request, id })
          return Effect.sync(() => waiting.delete(id))
        }),
      end: Effect.callback<void>((done) => {
        if (ended !== undefined) return done(Effect.void)
        worker.ref()
        worker.once("exit", () => done(Effect.void))
        worker.postMessage(stop)
      })
    }
    worker.once("error", (error) => fail(reasonOf(error)))
    worker.once("exit", (code) => fail(`it ended with code ${code}`))
    worker.on("message", (message: Reply | typeof ready) => {
      if (message === ready) {
        // Without a request it must not keep a program alive that has nothing else to do.
        worker.unref()
        return resume(Effect.succeed(thread))
      }
      const settle = waiting.get(message.id)
      waiting.delete(message.id)
      if (waiting.size === 0) worker.unref()
      settle?.(outcomeOf(message))
    })
    return Effect.promise(() => worker.terminate())
  })

/** What a thread may come to hold: a tokenizer, an index of the mixture, pictures at their own size. */
const bytesOfThread = 2 ** 30

/** All processors but one, as far as `bytes` of memory go. */
export const threadsFor = (processors: number, bytes: number): number =>
  Math.max(1, Math.min(processors - 1, Math.floor(bytes / 2 / bytesOfThread)))

const makeWorkers = Effect.fn("SampleWorkers.make")(function* (options: SampleWorkersOptions) {
  const { heapMegabytes } = options
  const { memoryBytes } = yield* Machine
  const count = options.count ?? threadsFor(availableParallelism(), yield* memoryBytes)
  const scope = yield* Effect.scope
  const start = Effect.acquireRelease(startThread(heapMegabytes), ({ end }) => end).pipe(
    Effect.provideService(Scope.Scope, scope)
  )
  const threads: Effect.Effect<Thread, SampleWorkerFailed>[] = []
  /** The first so many threads, each started when it is first wanted. */
  const take = Effect.fnUntraced(function* (wanted: number) {
    while (threads.length < wanted) threads.push(yield* Effect.cached(start))
    return yield* Effect.forEach(threads.slice(0, wanted), (thread) => thread, { concurrency: "unbounded" })
  })
  let loaders = 0
  return SampleWorkers.of({
    count,
    open: Effect.fnUntraced(function* (plan, wanted = count) {
      const taken = yield* take(wanted)
      const loader = loaders++
      yield* Effect.forEach(
        taken,
        (thread) =>
          Effect.acquireRelease(thread.send({ _tag: "open", loader, plan }), () =>
            Effect.ignore(thread.send({ _tag: "close", loader }))
          ),
        { concurrency: "unbounded" }
      )
      const idlest = () => taken.reduce((best, thread) => (thread.pending() < best.pending() ? thread : best))
      return {
        threads: taken.length,
        batch: (samples, epoch) => Effect.suspend(() => idlest().send({ _tag: "batch", loader, samples, epoch })),
        lengths: (from, to) => Effect.suspend(() => idlest().send({ _tag: "lengths", loader, from, to })),
        look: (samples, decode) => Effect.suspend(() => idlest().send({ _tag: "look", loader, samples, decode }))
      } satisfies RemoteLoader
    })
  })
})
