/** What a parity check is: a pattern over fixture paths and the comparisons for one fixture. A new kind is one file and one line in checks.ts. */
import type { Arithmetic, Backend } from "@speedq/tensors"
import type { Comparison } from "./compare.ts"
import type { Fixture } from "./Fixture.ts"

export interface Check {
  /** Matches the fixture's path below the directory, without ".safetensors". */
  readonly matches: RegExp
  /** What it is computed in, f32 when absent: a fixture is of one arithmetic, and so is the backend that is given. */
  readonly arithmetic?: Arithmetic
  readonly run: (fixture: Fixture, backend: Backend) => Promise<readonly Comparison[]>
}
