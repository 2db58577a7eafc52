/** The run or ablation that is coordinated. */
import type { Identity } from "../identity/Identity.ts"

/** Files over HTTP. */
export interface OverHttp {
  /** `HOST:PORT`; a free port of loopback unless it is given. Beyond loopback it needs a token, SPEEDQ_TOKEN of the environment. */
  readonly listen?: string | undefined
}

export interface Coordinated {
  /** As the command line has it. */
  readonly cluster: string
  readonly run: string
  readonly identity: Identity
  /** Whether runners with other bits may compute what the work allows them to. */
  readonly otherBackends: boolean
  /** Given where runners get files over HTTP, and need not see the run's directory. */
  readonly http?: OverHttp | undefined
}
