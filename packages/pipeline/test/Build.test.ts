/** The build that records name: in a clone it holds a digest of the code, which the version alone does not tell. */
import * as Effect from "effect/Effect"
import { assert, it } from "vitest"
import { Build } from "../src/machine/Build.ts"

it("a build in a clone names version, code and Node", () => {
  const build = Effect.runSync(Build)
  assert.match(build, /^speedq \d+\.\d+\.\d+ \([0-9a-f]{8}\), Node \d+\./)
})
