/** Waits for runners as long as there is one that may answer. */
import * as Effect from "effect/Effect"
import { ClusterUnavailable } from "../Errors.ts"
import { clusterName } from "../storage/storageLayer.ts"
import type { RunnersPresent } from "./runnersPresent.ts"

/** How often it is looked whether the runners that have units are still there. */
const lookMilliseconds = 1000
/** Looks without a runner after which units are computed here. */
const patience = 3

/** Fails with ClusterUnavailable once no runner is left. */
export const attended = (cluster: string, present: ReturnType<RunnersPresent["present"]>) =>
  Effect.gen(function* () {
    let missed = 0
    while (missed < patience) {
      yield* Effect.sleep(lookMilliseconds)
      missed = (yield* present).length === 0 ? missed + 1 : 0
    }
    return yield* new ClusterUnavailable({ cluster: clusterName(cluster), reason: "no runner is left" })
  })
