/**
 * A process as a member of the cluster: effect/cluster with all of its state in SQL. Members do not talk to each other: what one has for
 * another it stores, and the other looks for it, so that no process listens on any port.
 */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as RunnerStorage from "effect/cluster/RunnerStorage"
import * as Runners from "effect/cluster/Runners"
import * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { SqlError } from "effect/sql/SqlError"
import type { ClusterUnavailable } from "../Errors.ts"
import { shardsPerGroup } from "../units/placement.ts"
import { ClusterTimes } from "./ClusterTimes.ts"
import { leaving, openMembers, runnerPort } from "./Members.ts"
import { unavailable } from "./storageLayer.ts"

interface Member {
  /** As the command line has it. */
  readonly cluster: string
  /** Its groups of shards, by `groupOf` and `looseGroupOf`. */
  readonly groups: readonly string[]
  /** A name that no other runner ever has; undefined for a coordinator, which computes no units for others. */
  readonly runner?: string
}

/** What SQL refuses while tables are made is a defect to effect/cluster; to its user it is a cluster that cannot be used. */
const saidBySql =
  (cluster: string) =>
  <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E | ClusterUnavailable, R> =>
    Layer.catchCause(layer, (cause) => {
      const error = Cause.squash(cause)
      const failed: Effect.Effect<Context.Context<A>, E | ClusterUnavailable> = error instanceof SqlError
        ? Effect.fail(unavailable(cluster, error))
        : Effect.failCause(cause)
      return Layer.effectContext(failed)
    })

/** What the dead have left goes when a member comes and when one leaves. That it cannot is no reason to stop. */
const withoutDead = Layer.effectDiscard(
  Effect.gen(function* () {
    const { removeDead } = yield* openMembers()
    const storage = yield* RunnerStorage.RunnerStorage
    const cleaning = leaving(Effect.provideService(removeDead, RunnerStorage.RunnerStorage, storage))
    yield* cleaning
    yield* Effect.addFinalizer(() => cleaning)
  })
)

/** Sharding and storage of messages and runners, over a SQL client. Fails with ClusterUnavailable where their tables cannot be used. */
export const clusterLayer = ({ cluster, groups, runner }: Member) =>
  Layer.unwrap(
    Effect.map(ClusterTimes, ({ silentMilliseconds, pollMilliseconds }) =>
      Layer.merge(Sharding.layer, withoutDead).pipe(
        Layer.provideMerge(Runners.layerNoop),
        Layer.provideMerge(SqlMessageStorage.layer.pipe(Layer.provide(NodeCrypto.layerDigest))),
        Layer.provideMerge(Layer.orDie(SqlRunnerStorage.layer)),
        Layer.provide(RunnerHealth.layerNoop),
        Layer.provide(
          ShardingConfig.layer({
            runnerAddress: runner === undefined ? Option.none() : Option.some(RunnerAddress.make(runner, runnerPort)),
            availableShardGroups: groups,
            assignedShardGroups: runner === undefined ? [] : groups,
            shardsPerGroup,
            shardLockExpiration: silentMilliseconds,
            shardLockRefreshInterval: silentMilliseconds / 4,
            // Those of PostgreSQL are numbers, the same in each group: runners of one identity would keep those of another out.
            shardLockDisableAdvisory: true,
            entityMessagePollInterval: pollMilliseconds,
            entityReplyPollInterval: pollMilliseconds / 2,
            refreshAssignmentsInterval: Math.min(1000, silentMilliseconds / 4),
            // A unit may take longer than others wait for it.
            entityMaxIdleTime: "1 hour",
            // So long a runner that ends may take for the unit that it has; then others compute it.
            entityTerminationTimeout: "5 seconds",
            simulateRemoteSerialization: false
          })
        ),
        // A database that does not answer is told by who joined (`Members`), in words.
        Layer.provide(Logger.layer([])),
        saidBySql(cluster)
      )
    )
  )
