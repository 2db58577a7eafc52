/** The run or ablation that is coordinated. */
import type { Identity } from "../identity/Identity.ts"

export interface Coordinated {
  /** As the command line has it. */
  readonly cluster: string
  readonly run: string
  readonly identity: Identity
  /** Whether runners with other bits may compute what the work allows them to. */
  readonly otherBackends: boolean
}
