/** The coordinator's side: a run whose work is shared with the runners of a cluster. */
import { realpathSync } from "node:fs"
import { Build } from "@speedq/pipeline"
import { Compute, ShardComputers } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { groupOf, type Identity } from "../identity/Identity.ts"
import { numbersOf } from "../identity/numbersOf.ts"
import { clusterLayer } from "../storage/clusterLayer.ts"
import { storageLayer, unavailable } from "../storage/storageLayer.ts"
import type { Coordinated } from "./Coordinated.ts"
import { makeShardComputers } from "./shardComputers.ts"

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
          makeShardComputers({ cluster, run: realpathSync(run), identity }),
          (error) => unavailable(cluster, error)
        )
        return yield* Effect.provideService(work, ShardComputers, computers)
      }).pipe(Effect.scoped, Effect.provide(clusterLayer({ cluster, group: groupOf(identity) })))
    }).pipe(Effect.provide(storageLayer(cluster)))
