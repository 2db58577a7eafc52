/** Which runners are there, and which of them may compute for a run; told where that changes. */
import { Events } from "@speedq/pipeline"
import type * as Runner from "effect/cluster/Runner"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { differenceOf, groupOf } from "../identity/Identity.ts"
import { openMembers } from "../storage/Members.ts"
import { clusterName } from "../storage/storageLayer.ts"
import type { Coordinated } from "./Coordinated.ts"
import { RunnerIsRefused, RunnersChanged } from "./clusterEvents.ts"
import type { RunnerTally } from "./runnerTally.ts"

interface Present {
  /** Those that may compute for this run. */
  readonly ours: readonly Runner.Runner[]
  readonly others: readonly Runner.Runner[]
}

const nobody: Present = { ours: [], others: [] }

/** Makes the run a member for the life of the scope. Fails with SqlError where the members cannot be told. */
export const runnersPresent = Effect.fnUntraced(function* (
  { cluster, run, identity }: Coordinated,
  tally: RunnerTally
) {
  const group = groupOf(identity)
  const storage = yield* RunnerStorage.RunnerStorage
  const members = yield* openMembers()
  const events = yield* Events
  yield* members.join("run", run, identity)

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

  const runnersOf = (all: ReadonlyArray<readonly [Runner.Runner, boolean]>): Present => {
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
    Effect.map(Option.getOrElse(() => nobody)),
    Effect.catchCause(() => Effect.succeed(nobody))
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

  /** The runners that may compute now, after what is new about them has been told. */
  const told = Effect.gen(function* () {
    const { ours, others } = yield* present
    yield* tellRefused(others)
    yield* tellRunners(ours)
    yield* tally.writeNow
    return ours
  })
  return { present: Effect.map(present, ({ ours }) => ours), told }
})

export type RunnersPresent = Effect.Success<ReturnType<typeof runnersPresent>>
