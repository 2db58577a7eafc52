/**
 * Hands the shards of each step to the runners that are there, and takes what they give. Whatever goes wrong out there, the run computes
 * a shard itself: the bits are the same.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { Events, readRunRecord } from "@speedq/pipeline"
import { type ElsewhereStep, loadSums, type ShardComputers, type ShardSums, saveParameters } from "@speedq/stages"
import * as Cause from "effect/Cause"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as Sharding from "effect/cluster/Sharding"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import { groupOf } from "../identity/Identity.ts"
import { exchangeOf, isOfOtherStep, parametersName } from "../units/exchange.ts"
import { placesFor, sharesOf } from "../units/placement.ts"
import { type ShardReply, type ShardRequest, ShardUnit } from "../units/ShardUnit.ts"
import { attended } from "./attended.ts"
import type { Coordinated } from "./Coordinated.ts"
import { ShardComputedHere } from "./clusterEvents.ts"
import { placesOf } from "./places.ts"
import { runnersPresent } from "./runnersPresent.ts"
import { keepTally } from "./runnerTally.ts"

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

/** Gives the run's shards to runners. Fails with SqlError where the members cannot be told. */
export const makeShardComputers = Effect.fnUntraced(function* (coordinated: Coordinated) {
  const { cluster, run, identity } = coordinated
  const sharding = yield* Sharding.Sharding
  const messages = yield* MessageStorage.MessageStorage
  const client = yield* ShardUnit.client
  const events = yield* Events
  const files = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const tally = keepTally(coordinated)
  const runners = yield* runnersPresent(coordinated, tally)
  const places = placesOf(sharding, groupOf(identity), run)
  const exchange = exchangeOf(run)
  mkdirSync(exchange, { recursive: true })
  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      Effect.sync(() => {
        tally.absent(new Set())
        rmSync(exchange, { recursive: true, force: true })
      }),
      tally.write
    )
  )

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
      const ours = yield* runners.told
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
      const left = attended(cluster, runners)
      const sumsOf = (shard: number): Effect.Effect<ShardSums | undefined> =>
        Effect.raceFirst(Fiber.join(asked[shard]!), left).pipe(
          Effect.flatMap((reply) =>
            // An answer of an earlier time may have lost its file: it is asked for once more.
            Effect.catch(taken(reply), () => Effect.flatMap(Effect.raceFirst(ask(shard, 1), left), taken))
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
  const computers: ShardComputers = { begin }
  return computers
})
