/**
 * Hands units of work to the runners that are there, and takes what they give. Whatever goes wrong out there, the run computes a unit
 * itself: the bits are the same.
 */
import { basename } from "node:path"
import { type BatchOptions, Events, readRunRecord, type UnitBatch, type UnitComputers } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as MessageStorage from "effect/cluster/MessageStorage"
import * as Sharding from "effect/cluster/Sharding"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import { httpExchange } from "../exchange/httpExchange.ts"
import { exchangeFolder, folderExchange, type GivenFiles } from "../exchange/RunExchange.ts"
import { groupOf, looseGroupOf } from "../identity/Identity.ts"
import { batchPrefix } from "../units/exchange.ts"
import { UnitOfWork, type UnitReply, type UnitRequest } from "../units/UnitOfWork.ts"
import { attended } from "./attended.ts"
import type { Coordinated } from "./Coordinated.ts"
import { UnitComputed, UnitComputedHere, UnitHandedOut } from "./clusterEvents.ts"
import { placeKeeper, placesOf, type Taken } from "./places.ts"
import { runnersPresent } from "./runnersPresent.ts"
import { keepTally } from "./runnerTally.ts"

const messageOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  return error instanceof Error ? error.message : String(error)
}

/** Gives the run's units to runners. Fails with SqlError where the members cannot be told, with ListenRefused where files cannot be served. */
export const makeUnitComputers = Effect.fnUntraced(function* (coordinated: Coordinated) {
  const { cluster, run, identity, otherBackends, http } = coordinated
  const sharding = yield* Sharding.Sharding
  const messages = yield* MessageStorage.MessageStorage
  const client = yield* UnitOfWork.client
  const events = yield* Events
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const tally = keepTally(coordinated)
  const runners = yield* runnersPresent(coordinated, tally)
  const folder = yield* exchangeFolder(run)
  const exchange = yield* http === undefined ? folderExchange(folder) : httpExchange(run, folder, http.listen)
  yield* Effect.addFinalizer(() =>
    Effect.andThen(
      Effect.sync(() => tally.absent(new Set())),
      tally.write
    )
  )

  const placesIn = (group: string) => {
    const places = placesOf(sharding, group, run)
    // Any of them may hold requests from before the run was killed.
    const old = new Map([...places.values()].map(({ id, address }) => [id, address]))
    return { group, old, keeper: placeKeeper(places) }
  }
  const exact = placesIn(groupOf(identity))
  const loose = otherBackends ? placesIn(looseGroupOf(identity)) : exact

  const stageOf = Effect.fnUntraced(function* (directory: string) {
    const place = basename(directory)
    const record = Option.getOrUndefined(yield* readRunRecord(run))
    const key = record?.keys[place]
    if (key === undefined) return yield* Effect.fail(new Error(`${run} has no record of stage ${place}`))
    return { place, key }
  })

  const beginBatch = Effect.fnUntraced(function* ({
    stage: directory,
    name,
    bits,
    isTold = false,
    ...options
  }: BatchOptions) {
    const stage = directory === undefined ? null : yield* stageOf(directory)
    const isLoose = bits === "allowed" && otherBackends
    const { group, old, keeper } = isLoose ? loose : exact
    const prefix = batchPrefix(stage?.key ?? "00000000", name)
    const { files, given, arrived } = yield* exchange.begin(prefix, stage?.place, options)
    const left = attended(cluster, runners.present(group))
    let present = yield* runners.told(group)
    const underWay = new Set<{ readonly taken: Taken; readonly asked: Fiber.Fiber<unknown, unknown> }>()

    /** Removes what was asked before the run was killed, but where the same may be asked again: its answer may be there. */
    const removeOld = Effect.gen(function* () {
      for (const [id, address] of old) {
        old.delete(id)
        yield* messages.clearAddress(address)
      }
    }).pipe(Effect.timeoutOption("10 seconds"), Effect.ignore)
    if (!exchange.answersEarlier) yield* removeOld
    /** Requests and answers are of no more use; those of thousands of steps would fill the database. */
    const giveBack = (taken: Taken) =>
      Effect.suspend(() => (keeper.giveBack(taken) ? messages.clearAddress(taken.place.address) : Effect.void)).pipe(
        Effect.timeoutOption("10 seconds"),
        Effect.ignore
      )

    const count = Effect.fnUntraced(function* (unit: string, { output: _output, ...reply }: UnitReply) {
      tally.count(reply)
      if (isTold || reply.backend !== identity.backend) yield* events.emit(UnitComputed, { unit, ...reply })
    })
    const here = Effect.fnUntraced(function* (unit: string, reason: string) {
      tally.countHere()
      yield* events.emit(UnitComputedHere, { unit, reason })
      return undefined
    })

    const ask: UnitBatch["ask"] = Effect.fnUntraced(function* (kind, { name: unit, title, input }, take) {
      const taken = keeper.take(present)
      if (taken === undefined) return here(title, "no runner is left")
      old.delete(taken.place.id)
      const request: Omit<UnitRequest, "attempt" | keyof GivenFiles> = {
        ...{ run, stage, identity, isLoose, kind: kind.name, batch: prefix, name: unit, title },
        input: kind.encodeInput(input)
      }
      // What a unit gave is looked at when it comes, while those before it are still computed.
      const send = (attempt: number) =>
        Effect.flatMap(given, (handed) => client(taken.place.id).Compute({ ...request, ...handed, attempt })).pipe(
          Effect.flatMap((reply) => Effect.as(arrived(reply.files), reply))
        )
      // An answer of an earlier time may have lost its file: it is asked for once more.
      const sent = Effect.catchTag(send(0), "SavedFileDamaged", () => send(1))
      const asked = yield* Effect.forkDetach(sent, { startImmediately: true })
      const way = { taken, asked }
      underWay.add(way)
      if (isTold) yield* events.emit(UnitHandedOut, { unit: title, runner: taken.runner })
      const takeReply = (reply: UnitReply) =>
        kind.decodeOutput(reply.output).pipe(Effect.flatMap(take), Effect.tap(count(title, reply)))
      return Effect.andThen(removeOld, Effect.raceFirst(Fiber.join(asked), left)).pipe(
        Effect.flatMap((reply) =>
          Effect.catch(takeReply(reply), () => Effect.flatMap(Effect.raceFirst(send(1), left), takeReply))
        ),
        // A request that the cluster gave up is none of this fiber's interruptions.
        Effect.catchCause((cause) => here(title, messageOf(cause))),
        Effect.ensuring(Effect.suspend(() => (underWay.delete(way) ? giveBack(taken) : Effect.void)))
      )
    })
    const end = Effect.gen(function* () {
      const given = [...underWay]
      underWay.clear()
      yield* Effect.timeoutOption(Fiber.interruptAll(given.map(({ asked }) => asked)), "10 seconds")
      yield* Effect.forEach(given, ({ taken }) => giveBack(taken), { discard: true })
      // What follows the last batch may take long: nothing of it stays.
      yield* exchange.end
    })
    const batch: UnitBatch = {
      files,
      runners: Effect.map(runners.told(group), (found) => {
        present = found
        return found.length
      }).pipe(Effect.provideContext(services)),
      ask,
      end
    }
    return batch
  })

  const computers: UnitComputers = {
    begin: (options) =>
      beginBatch(options).pipe(
        Effect.provideContext(services),
        Effect.catchCause((cause) =>
          Effect.as(events.emit(UnitComputedHere, { unit: options.title, reason: messageOf(cause) }), undefined)
        )
      )
  }
  return computers
})
