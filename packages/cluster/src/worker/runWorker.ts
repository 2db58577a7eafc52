/** A runner: joins a cluster and computes units of work until it is stopped. */
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"
import { status } from "@speedq/pipeline"
import type { BackendName } from "@speedq/tensors"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { RunnerRefused, UnitFailed } from "../Errors.ts"
import { differenceOf, groupOf, type Identity, looseGroupOf } from "../identity/Identity.ts"
import { clusterLayer } from "../storage/clusterLayer.ts"
import { openMembers } from "../storage/Members.ts"
import { storageLayer, unavailable } from "../storage/storageLayer.ts"
import { UnitOfWork, type UnitRequest } from "../units/UnitOfWork.ts"
import type { PluginFiles } from "./PluginFiles.ts"
import { makeRunnerFiles } from "./runnerFiles.ts"
import { ownFolder, startUnitProcess } from "./startUnitProcess.ts"

/** What a runner tells while it works. `unit` is in words. */
export type WorkerNews =
  | { readonly _tag: "Joined"; readonly runner: string; readonly identity: Identity }
  /** The database has not answered, or answers again. What a runner has while it does not is given to others. */
  | { readonly _tag: "Away"; readonly reason: string }
  | { readonly _tag: "Back" }
  | { readonly _tag: "Computed"; readonly run: string; readonly unit: string; readonly milliseconds: number }
  | { readonly _tag: "Failed"; readonly run: string; readonly unit: string; readonly reason: string }

export interface WorkerOptions {
  /** A directory for processes of one host, or `postgres://user:password@host/database`. */
  readonly cluster: string
  readonly backend: BackendName
  /** Files with its plugins, absolute. A runner computes for runs that have the same. */
  readonly plugins?: PluginFiles | undefined
  /** Called for what it tells; must be quick. */
  readonly onNews?: (news: WorkerNews) => void
}

/** A directory that cannot be read from here is no reason to refuse: what is there is said when a unit of it comes. */
const isAtWork = (directory: string) =>
  status(directory).pipe(
    Effect.map(Option.exists(({ state }) => state === "running" || state === "unknown")),
    Effect.orElseSucceed(() => false)
  )

/** Fails with RunnerRefused where a run is at work that this runner could not share a step with. */
const requireSame = Effect.fnUntraced(function* (
  identity: Identity,
  members: Effect.Success<ReturnType<typeof openMembers>>
) {
  for (const { name, identity: ofRun } of yield* members.all("run")) {
    const difference = differenceOf(ofRun, identity, ofRun.isLoose)
    if (difference !== undefined && (yield* isAtWork(name)))
      return yield* new RunnerRefused({ run: name, ...difference })
  }
})

/** A name that no other process has, readable by people. */
const ownName = () => `${hostname()}-${process.pid}-${randomUUID().slice(0, 4)}`

/**
 * Computes units until it is interrupted. Fails with ClusterUnavailable; with RunnerRefused where a run that is at work computes otherwise;
 * with UnitFailed where the process that computes cannot start, ends, or stands still: the units that it had go to other runners.
 */
export const runWorker = Effect.fn("runWorker")(function* ({
  cluster,
  backend,
  plugins,
  onNews = () => {}
}: WorkerOptions) {
  const runner = ownName()
  const work = Effect.gen(function* () {
    const ended = yield* Deferred.make<never, UnitFailed>()
    const end = (reason: string) => {
      Deferred.doneUnsafe(ended, Effect.fail(new UnitFailed({ reason })))
    }
    const folder = yield* ownFolder
    const units = yield* startUnitProcess(backend, { runner, folder, plugins }, end)
    const identity = yield* Effect.raceFirst(units.Identify(), Deferred.await(ended))
    const members = yield* openMembers()
    yield* requireSame(identity, members)
    yield* members.join("runner", runner, identity, ({ answers, reason }) =>
      onNews(answers ? { _tag: "Back" } : { _tag: "Away", reason })
    )

    const filesOf = yield* makeRunnerFiles(folder)
    const compute = Effect.fnUntraced(function* (request: UnitRequest) {
      const { order, give } = yield* filesOf(request)
      const reply = yield* units.Compute(order)
      yield* give(reply.files)
      return reply
    }, Effect.scoped)
    const entity = UnitOfWork.toLayer(
      UnitOfWork.of({
        Compute: ({ payload }) => {
          const { run, title: unit } = payload
          return compute(payload).pipe(
            Effect.tap(({ milliseconds }) => Effect.sync(() => onNews({ _tag: "Computed", run, unit, milliseconds }))),
            Effect.tapError((error) => Effect.sync(() => onNews({ _tag: "Failed", run, unit, reason: error.message }))),
            // Whoever is asked next computes it: this runner ends.
            Effect.catchTag("RpcClientError", () => Effect.never)
          )
        }
      }),
      { maxIdleTime: "1 hour" }
    )
    yield* Layer.build(
      entity.pipe(Layer.provide(clusterLayer({ cluster, groups: [groupOf(identity), looseGroupOf(identity)], runner })))
    )
    onNews({ _tag: "Joined", runner, identity })
    return yield* Deferred.await(ended)
  })
  return yield* work.pipe(
    Effect.catchTag("SqlError", (error) => Effect.fail(unavailable(cluster, error))),
    Effect.catchTag(["WorkerError", "RpcClientError"], ({ message: reason }) =>
      Effect.fail(new UnitFailed({ reason }))
    ),
    Effect.scoped,
    Effect.provide(storageLayer(cluster))
  )
})
