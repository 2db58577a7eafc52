/** How long a runner may be silent before others take its units, and how often members look for what is new. */
import * as Context from "effect/Context"

export const ClusterTimes = Context.Reference<{
  readonly silentMilliseconds: number
  readonly pollMilliseconds: number
}>("speedq/ClusterTimes", { defaultValue: () => ({ silentMilliseconds: 20_000, pollMilliseconds: 100 }) })
