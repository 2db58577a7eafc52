/**
 * The coordinator's side: hands the shards of each step to the runners that are there, and takes what they give. Whatever goes wrong out
 * there, it computes a shard itself: the bits are the same.
 */
import { mkdirSync, readdirSync, realpathSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { Build, Events, monotonicMillis, type RunnerShare, readRunRecord, writeRunners } from "@speedq/pipeline"
import { Compute, type ElsewhereStep, loadSums, ShardComputers, type ShardSums, saveParameters } from "@speedq/stages"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as MessageStorage from "effect/cluster/MessageStorage"
import type * as Runner from "effect/cluster/Runner"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as Sharding from "effect/cluster/Sharding"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import { ClusterUnavailable } from "../Errors.ts"
import { differenceOf, groupOf, type Identity } from "../identity/Identity.ts"
import { numbersOf } from "../identity/numbersOf.ts"
import { clusterLayer } from "../storage/clusterLayer.ts"
import { openMembers } from "../storage/Members.ts"
import { clusterName, storageLayer, unavailable } from "../storage/storageLayer.ts"
import { exchangeOf, isOfOtherStep, parametersName } from "../units/exchange.ts"
import { placesFor, sharesOf } from "../units/placement.ts"
import { type ShardReply, type ShardRequest, ShardUnit } from "../units/ShardUnit.ts"
import { RunnerIsRefused, RunnersChanged, ShardComputedHere } from "./clusterEvents.ts"
import { placesOf } from "./places.ts"

/** The run that is coordinated. */
interface Coordinated {
  /** As the command line has it. */
  readonly cluster: string
  readonly run: string
  readonly identity: Identity
}

/** How often it is looked whether the runners that have shards are still there. */
const lookMilliseconds = 1000
/** Looks without an answer, or without a runner, after which shards are computed here. */
const patience = 3

/** Where the runner of an answer is told of. */
const keepTally = ({ cluster, run }: Coordinated) => {
  const shares = new Map<string, RunnerShare>()
  let here = 0
  let writtenAt = Number.NEGATIVE_INFINITY
  const write = Effect.gen(function* () {
    const at = yield* Clock.currentTimeMillis
    const table = { cluster: clusterName(cluster), at, here, runners: [...shares.values()] }
    yield* writeRunners(run, table)
    // A table for people: that it cannot be written is no reason to stop.
  }).pipe(Effect.ignore)
  const set = (share: Pick<RunnerShare, "name" | "backend"> & Partial<RunnerShare>) => {
    const { units, milliseconds } = shares.get(share.name) ?? { units: 0, milliseconds: 0 }
    shares.set(share.name, { units, milliseconds, present: true, ...share })
  }
  return {
    set,
    absent: (names: ReadonlySet<string>) => {
      for (const [name, share] of shares) if (!names.has(name)) shares.set(name, { ...share, present: false })
    },
    count: ({ runner, milliseconds }: ShardReply) => {
      const share = shares.get(runner)
      if (share === undefined) return
      set({ ...share, units: share.units + 1, milliseconds: share.milliseconds + milliseconds })
    },
    countHere: () => {
      here++
    },
    write,
    writeNow: Effect.gen(function* () {
      const now = yield* monotonicMillis
      if (now - writtenAt < 2000) return
      writtenAt = now
      yield* write
    })
  }
}

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

/** Gives the run's shards to runners. Fails with SqlError where the members cannot be told. */
const makeComputers = Effect.fnUntraced(function* (coordinated: Coordinated) {
  const { cluster, run, identity } = coordinated
  const group = groupOf(identity)
  const sharding = yield* Sharding.Sharding
  const storage = yield* RunnerStorage.RunnerStorage
  const messages = yield* MessageStorage.MessageStorage
  const client = yield* ShardUnit.client
  const members = yield* openMembers()
  const events = yield* Events
  const files = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  yield* members.join("run", run, identity)
  const places = placesOf(sharding, group, run)
  const exchange = exchangeOf(run)
  mkdirSync(exchange, { recursive: true })
  const tally = keepTally(coordinated)
  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      Effect.sync(() => {
        tally.absent(new Set())
        rmSync(exchange, { recursive: true, force: true })
      }),
      tally.write
    )
  )

  let toldRunners = ""
  const refused = new Set<string>()
  /** Names runners that are there and take no part, once each. */
  const tellRefused = Effect.fnUntraced(
    function* (others: readonly Runner.Runner[]) {
      const unknown = others.filter(({ address }) => !refused.has(address.host))
      if (unknown.length === 0) return
      const known = new Map((yield* members.all("runner")).map(({ name, identity }) => [name, identity]))
      for (const { address } of unknown) {
        const theirs = known.get(address.host)
        const difference = theirs && differenceOf(identity, theirs)
        if (theirs === undefined || difference === undefined) continue
        refused.add(address.host)
        tally.set({ name: address.host, backend: theirs.backend, refused: `another ${difference.field}` })
        yield* events.emit(RunnerIsRefused, { runner: address.host, ...difference })
      }
    },
    (self) => Effect.ignore(self)
  )

  const runnersOf = (all: ReadonlyArray<readonly [Runner.Runner, boolean]>) => {
    const healthy = all
      .flatMap(([runner, healthy]) => (healthy ? [runner] : []))
      .sort((a, b) => (a.address.host < b.address.host ? -1 : 1))
    const isOurs = ({ groups }: Runner.Runner) => groups.includes(group)
    return { ours: healthy.filter(isOurs), others: healthy.filter((runner) => !isOurs(runner)) }
  }
  /** Runners that may compute for this run now: none where that cannot be found out. */
  const present = storage.getRunners.pipe(
    Effect.map(runnersOf),
    Effect.timeoutOption("5 seconds"),
    Effect.map(Option.getOrElse(() => ({ ours: [], others: [] as readonly Runner.Runner[] }))),
    Effect.catchCause(() => Effect.succeed({ ours: [], others: [] as readonly Runner.Runner[] }))
  )

  const tellRunners = Effect.fnUntraced(function* (ours: readonly Runner.Runner[]) {
    const runners = ours.map(({ address }) => ({ name: address.host, backend: identity.backend }))
    for (const runner of runners) tally.set(runner)
    const names = runners.map(({ name }) => name).sort()
    tally.absent(new Set([...names, ...refused]))
    if (names.join() === toldRunners) return
    toldRunners = names.join()
    yield* events.emit(RunnersChanged, { cluster: clusterName(cluster), runners })
  })

  const removeOtherSteps = (key: string, step: number) =>
    Effect.sync(() => {
      for (const name of readdirSync(exchange)) {
        if (isOfOtherStep(name, key, step)) rmSync(join(exchange, name), { force: true })
      }
    })

  /** Places that may hold requests of this run from before it was killed. */
  const old = new Map([...places.values()].map(({ id, address }) => [id, address]))
  /** Removes them, but those of places whose requests will be asked again: their answers may be there. */
  const removeOld = Effect.fnUntraced(function* (chosen: ReadonlySet<string>) {
    for (const [id, address] of old) {
      if (!chosen.has(id)) yield* messages.clearAddress(address)
      old.delete(id)
    }
  })

  const keyOf = Effect.fnUntraced(function* (place: string) {
    const record = Option.getOrUndefined(yield* readRunRecord(run))
    return record?.keys[place]
  })

  const begin: ShardComputers["begin"] = Effect.fnUntraced(
    function* (directory, { step, parameters, measured, microBatches, shards }) {
      const { ours, others } = yield* present
      yield* tellRefused(others)
      yield* tellRunners(ours)
      yield* tally.writeNow
      if (ours.length === 0) return undefined
      const place = basename(directory)
      const key = yield* keyOf(place)
      if (key === undefined) return undefined
      yield* removeOtherSteps(key, step)
      const file = parametersName(key, step)
      const { bytes, sha256 } = yield* saveParameters(join(exchange, file), parameters)
      const chosen = placesFor(shards.length, sharesOf(ours)).map((at) => places.get(at)!)
      yield* removeOld(new Set(chosen.map(({ id }) => id)))
      const shared = { run, place, key, identity, step, microBatches, measured, parameters: { file, bytes, sha256 } }
      const ask = (shard: number, attempt: number) => {
        const request: ShardRequest = { ...shared, shard, attempt, indices: shards[shard]! }
        return client(chosen[shard]!.id).Compute(request)
      }
      const asked = yield* Effect.forEach(shards, (_, shard) =>
        Effect.forkDetach(ask(shard, 0), { startImmediately: true })
      )

      const taken = (reply: ShardReply) => {
        const record = reply.sums
        return loadSums(parameters, { path: join(exchange, record.file), record }).pipe(
          Effect.tap(() => Effect.sync(() => tally.count(reply)))
        )
      }
      /** Waits as long as there is a runner that may answer. */
      const attended = Effect.gen(function* () {
        let missed = 0
        while (missed < patience) {
          yield* Effect.sleep(lookMilliseconds)
          missed = (yield* present).ours.length === 0 ? missed + 1 : 0
        }
        return yield* new ClusterUnavailable({ cluster: clusterName(cluster), reason: "no runner is left" })
      })
      const sumsOf = (shard: number): Effect.Effect<ShardSums | undefined> =>
        Effect.raceFirst(Fiber.join(asked[shard]!), attended).pipe(
          Effect.flatMap((reply) =>
            // An answer of an earlier time may have lost its file: it is asked for once more.
            Effect.catch(taken(reply), () => Effect.flatMap(Effect.raceFirst(ask(shard, 1), attended), taken))
          ),
          Effect.provideContext(files),
          // A request that the cluster gave up is none of this fiber's interruptions.
          Effect.catchCause((cause) => {
            tally.countHere()
            const reason = messageOf(cause)
            return Effect.as(events.emit(ShardComputedHere, { step, shard, reason }), undefined)
          })
        )
      const end = Effect.gen(function* () {
        yield* Fiber.interruptAll(asked)
        // Requests and answers of a step are of no more use; those of thousands of steps would fill the database.
        yield* Effect.forEach(new Set(chosen), ({ address }) => messages.clearAddress(address), { discard: true })
        // What follows the last step may take long: nothing of it stays.
        yield* removeOtherSteps(key, step + 1)
      }).pipe(Effect.timeoutOption("10 seconds"), Effect.ignore)
      return { sumsOf, end } satisfies ElsewhereStep
    },
    (self, _, { step, shards }) =>
      self.pipe(
        Effect.provideContext(files),
        Effect.catchCause((cause) => {
          const reason = messageOf(cause)
          const told = Effect.forEach(shards, (_, shard) => events.emit(ShardComputedHere, { step, shard, reason }))
          return Effect.as(told, undefined)
        })
      )
  )
  return { begin } satisfies ShardComputers
})

/**
 * Shares the shards of the steps that `work` makes in the run directory `run` with the runners of a cluster. Fails with
 * ClusterUnavailable where it cannot be reached when the work begins; later the work goes on by itself.
 *
 * @example
 * Recipe.run(recipe).pipe(coordinating({ cluster: "runs/cluster", run: "runs/mine" }))
 */
export const coordinating =
  ({ cluster, run }: Pick<Coordinated, "cluster" | "run">) =>
  <A, E, R>(work: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      const numbers = yield* Effect.promise(() => numbersOf(backend))
      const identity: Identity = { build: yield* Build, backend: backend.name, numbers }
      return yield* Effect.gen(function* () {
        const computers = yield* Effect.mapError(
          makeComputers({ cluster, run: realpathSync(run), identity }),
          (error) => unavailable(cluster, error)
        )
        return yield* Effect.provideService(work, ShardComputers, computers)
      }).pipe(Effect.scoped, Effect.provide(clusterLayer({ cluster, group: groupOf(identity) })))
    }).pipe(Effect.provide(storageLayer(cluster)))
