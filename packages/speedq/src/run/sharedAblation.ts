/** Shares the runs of an ablation with the runners of a cluster. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Events, runnersName, Sinks } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

interface SharedOptions {
  readonly cluster?: string | undefined
  readonly otherBackends?: boolean
}

/** What is told of runs as wholes: which runner begins and ends which. Shown, and kept beside the table of runners. */
const eventsOf = (directory: string) =>
  Layer.mergeAll(Sinks.terminal(), Sinks.jsonLines(join(directory, runnersName, "events.jsonl"))).pipe(
    // Not those of the runs: a layer that is provided within another one's reach is built once.
    Layer.provideMerge(Layer.fresh(Events.layer))
  )

/** Without a cluster the runs are computed here, one after the other. */
export const sharedAblation =
  (directory: string, { cluster, otherBackends = false }: SharedOptions) =>
  <A, E, R>(work: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      if (cluster === undefined) return yield* work
      mkdirSync(join(directory, runnersName), { recursive: true })
      // Loaded for those who have one.
      const { coordinating } = yield* Effect.promise(() => import("@speedq/cluster"))
      const share = coordinating({ cluster, run: directory, otherBackends })
      return yield* share(work).pipe(
        Effect.ensuring(Effect.flatMap(Events, ({ flush }) => Effect.ignore(flush))),
        Effect.provide(eventsOf(directory))
      )
    })
