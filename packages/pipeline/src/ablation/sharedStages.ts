/** Stages that cells of an ablation share: what one is computing, others wait for, so that it is computed once. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { readManifest } from "../checkpoints/StageManifest.ts"
import { stagesName } from "../directory/RunDirectory.ts"
import { labelled } from "../recipe/recipeValue.ts"
import { recordFor } from "../run/artefactOf.ts"
import type { AblationRun } from "./Ablation.ts"
import { distinctStages } from "./distinctStages.ts"

/** A cell, and where its run is. */
export interface Placed {
  readonly run: AblationRun
  readonly directory: string
}

/** Whether the run in `directory` has left its stage number `index` behind: the one after it has begun, so that nothing of it is still written. */
const hasLeft = Effect.fnUntraced(function* ({ run: { recipe }, directory }: Placed, index: number) {
  const path = yield* Path.Path
  const next = labelled(recipe.stages)[index + 1]
  const record = yield* recordFor(recipe, directory)
  if (next === undefined || record === undefined) return false
  const found = yield* readManifest(path.join(directory, stagesName, next.place))
  return Option.exists(found, ({ manifest }) => manifest.key === record.keys[next.place])
})

/** Whether a cell is to wait: one of those under way is still at a stage, or before it, that the cell has, too. */
export const waitsFor = Effect.fnUntraced(
  function* ({ run }: Placed, underWay: readonly Placed[]) {
    const wanted = new Set(distinctStages(run.recipe))
    for (const other of underWay.filter((each) => each.run.seed === run.seed)) {
      const shared = distinctStages(other.run.recipe).findLastIndex((id) => wanted.has(id))
      if (shared >= 0 && !(yield* hasLeft(other, shared))) return true
    }
    return false
  },
  // What cannot be read is no reason to wait for ever: at worst a stage is computed twice.
  (self) => Effect.orElseSucceed(self, () => false)
)
