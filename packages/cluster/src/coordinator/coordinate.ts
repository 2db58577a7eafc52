/** The coordinator's side: a run or an ablation whose work is shared with the runners of a cluster. */
import { realpathSync } from "node:fs"
import { Build, UnitComputers } from "@speedq/pipeline"
import { Compute, Extensions, pluginIdentity } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { groupOf, type Identity, looseGroupOf } from "../identity/Identity.ts"
import { numbersOf } from "../identity/numbersOf.ts"
import { clusterLayer } from "../storage/clusterLayer.ts"
import { storageLayer, unavailable } from "../storage/storageLayer.ts"
import type { OverHttp } from "./Coordinated.ts"
import { makeUnitComputers } from "./unitComputers.ts"

interface CoordinatingOptions {
  /** A directory for processes of one host, or `postgres://user:password@host/database`. */
  readonly cluster: string
  /** The directory of the run or ablation, which is there. */
  readonly run: string
  /** Whether runners with other bits may compute evaluations and the cells of an ablation. Training never. Default false. */
  readonly otherBackends?: boolean
  /** Given where runners get files over HTTP, and need not see the directory. Runs of an ablation are computed by none of these. */
  readonly http?: OverHttp | undefined
}

/**
 * Shares the units of what `work` does in the directory `run` with the runners of a cluster. Fails with ClusterUnavailable where it cannot
 * be reached when the work begins, with ListenRefused where files cannot be served as `http` says; later the work goes on by itself.
 *
 * @example
 * Recipe.run(recipe).pipe(coordinating({ cluster: "runs/cluster", run: "runs/mine" }))
 */
export const coordinating =
  ({ cluster, run, otherBackends = false, http }: CoordinatingOptions) =>
  <A, E, R>(work: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      const numbers = yield* Effect.promise(() => numbersOf(backend))
      const plugins = pluginIdentity(yield* Extensions)
      const identity: Identity = { build: yield* Build, backend: backend.name, numbers, plugins }
      return yield* Effect.gen(function* () {
        const computers = yield* Effect.mapError(
          makeUnitComputers({ cluster, run: realpathSync(run), identity, otherBackends, http }),
          (error) => (error._tag === "ListenRefused" ? error : unavailable(cluster, error))
        )
        return yield* Effect.provideService(work, UnitComputers, computers)
      }).pipe(
        Effect.scoped,
        Effect.provide(clusterLayer({ cluster, groups: [groupOf(identity), looseGroupOf(identity)] }))
      )
    }).pipe(Effect.provide(storageLayer(cluster)))
