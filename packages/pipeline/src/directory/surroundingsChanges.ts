/** What of a run's surroundings is another than when it was last begun or continued, as far as bits may differ by it. */
import { jsonChanges, type KeyChange } from "../checkpoints/StageKey.ts"
import { recipeModule, runCommand } from "../machine/Machine.ts"

type Surroundings = { readonly [name: string]: string }

/** Facts that cannot change a bit of a result. */
const harmless = new Set(["host", "memory", recipeModule, runCommand])

/** A field each, for example `backend: "gpujs:webgpu (nvidia, ...)" -> "gpujs:webgpu (amd, ...)"`. */
export const surroundingsChanges = (before: Surroundings, after: Surroundings): ReadonlyArray<KeyChange> =>
  jsonChanges(before, after).filter(({ field }) => !harmless.has(field))
