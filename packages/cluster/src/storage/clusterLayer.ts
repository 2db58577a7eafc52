/**
 * A process as a member of the cluster: effect/cluster with all of its state in SQL. Members do not talk to each other: what one has for
 * another it stores, and the other looks for it, so that no process listens on any port.
 */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as RunnerAddress from "effect/cluster/RunnerAddress"
import * as RunnerHealth from "effect/cluster/RunnerHealth"
import * as Runners from "effect/cluster/Runners"
import * as Sharding from "effect/cluster/Sharding"
import * as ShardingConfig from "effect/cluster/ShardingConfig"
import * as SqlMessageStorage from "effect/cluster/SqlMessageStorage"
import * as SqlRunnerStorage from "effect/cluster/SqlRunnerStorage"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { SqlError } from "effect/sql/SqlError"
import type { ClusterUnavailable } from "../Errors.ts"
import { shardsPerGroup } from "../units/placement.ts"
import { unavailable } from "./storageLayer.ts"

/** How long a runner may be silent before others take its units, and how often members look for what is new. */
export const ClusterTimes = Context.Reference<{
  readonly silentMilliseconds: number
  readonly pollMilliseconds: number
}>("speedq/ClusterTimes", { defaultValue: () => ({ silentMilliseconds: 20_000, pollMilliseconds: 100 }) })

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

/** Sharding and storage of messages and runners, over a SQL client. Fails with ClusterUnavailable where their tables cannot be used. */
export const clusterLayer = ({ cluster, groups, runner }: Member) =>
  Layer.unwrap(
    Effect.map(ClusterTimes, ({ silentMilliseconds, pollMilliseconds }) =>
      Sharding.layer.pipe(
        Layer.provideMerge(Runners.layerNoop),
        Layer.provideMerge(SqlMessageStorage.layer.pipe(Layer.provide(NodeCrypto.layerDigest))),
        Layer.provideMerge(Layer.orDie(SqlRunnerStorage.layer)),
        Layer.provide(RunnerHealth.layerNoop),
        Layer.provide(
          ShardingConfig.layer({
            // No one connects to it: it is a name.
            runnerAddress: runner === undefined ? Option.none() : Option.some(RunnerAddress.make(runner, 1)),
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
        saidBySql(cluster)
      )
    )
  )
