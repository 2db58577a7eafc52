/** Which runners are there, and which of them may compute for a run; told where that changes. */
import { Events } from "@speedq/pipeline"
import type * as Runner from "effect/cluster/Runner"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { differenceOf, type Identity } from "../identity/Identity.ts"
import { openMembers } from "../storage/Members.ts"
import { clusterName } from "../storage/storageLayer.ts"
import type { Coordinated } from "./Coordinated.ts"
import { RunnerIsRefused, RunnersChanged } from "./clusterEvents.ts"
import type { RunnerTally } from "./runnerTally.ts"

type Runners = readonly Runner.Runner[]

/** Makes the run a member for the life of the scope. Fails with SqlError where the members cannot be told. */
export const runnersPresent = Effect.fnUntraced(function* (
  { cluster, run, identity, otherBackends }: Coordinated,
  tally: RunnerTally
) {
  const storage = yield* RunnerStorage.RunnerStorage
  const members = yield* openMembers()
  const events = yield* Events
  yield* members.join("run", run, { ...identity, isLoose: otherBackends })

  const known = new Map<string, Identity>()
  const refused = new Set<string>()
  /** Finds out who new runners are. Names those that take no part, once each. */
  const meet = Effect.fnUntraced(
    function* (all: Runners) {
      const unknown = all.filter(({ address }) => !known.has(address.host))
      if (unknown.length === 0) return
      for (const { name, identity: theirs } of yield* members.all("runner")) {
        if (known.has(name) || !unknown.some(({ address }) => address.host === name)) continue
        known.set(name, theirs)
        const difference = differenceOf(identity, theirs, otherBackends)
        if (difference === undefined) continue
        refused.add(name)
        tally.set({ name, backend: theirs.backend, refused: `another ${difference.field}` })
        yield* events.emit(RunnerIsRefused, { runner: name, ...difference })
      }
    },
    (self) => Effect.ignore(self)
  )

  const healthy = (all: ReadonlyArray<readonly [Runner.Runner, boolean]>): Runners =>
    all
      .flatMap(([runner, healthy]) => (healthy ? [runner] : []))
      .sort((a, b) => (a.address.host < b.address.host ? -1 : 1))
  /** All runners that are there now: none where that cannot be found out. Units that wait ask several times a second. */
  const all = yield* storage.getRunners.pipe(
    Effect.map(healthy),
    Effect.timeoutOption("5 seconds"),
    Effect.map(Option.getOrElse((): Runners => [])),
    Effect.catchCause(() => Effect.succeed<Runners>([])),
    Effect.cachedWithTTL("200 millis")
  )
  /** Those of a group. */
  const present = (group: string) => Effect.map(all, (found) => found.filter(({ groups }) => groups.includes(group)))

  let toldRunners: string | undefined
  /** The runners of a group, after what is new about them has been told. */
  const told = Effect.fnUntraced(function* (group: string) {
    const everyone = yield* all
    yield* meet(everyone)
    const ours = yield* present(group)
    const runners = ours.map(({ address }) => ({
      name: address.host,
      backend: known.get(address.host)?.backend ?? identity.backend
    }))
    for (const runner of runners) tally.set(runner)
    tally.absent(new Set(everyone.map(({ address }) => address.host)))
    const names = runners.map(({ name }) => name).join()
    if (names !== toldRunners && !(names === "" && toldRunners === undefined)) {
      yield* events.emit(RunnersChanged, { cluster: clusterName(cluster), runners })
    }
    toldRunners = names
    yield* tally.writeNow
    return ours
  })
  return { present, told }
})

export type RunnersPresent = Effect.Success<ReturnType<typeof runnersPresent>>
