/** Features of a stage's frozen towers: the teacher's, and the student's where its tower is not trained. */
import type { Backend } from "@speedq/tensors"
import type { ModelConfig, Weights } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { computing } from "../compute/computing.ts"
import { isOneTower, type KeptFeatures, keepingOf } from "../features/keptFeatures.ts"
import { makeVisionFeatures, type StochasticDepth, type VisionFeatures } from "./VisionFeatures.ts"

interface Tower {
  readonly config: ModelConfig
  readonly weights: Weights
}

interface FrozenTowers {
  readonly backend: Backend
  readonly kept: KeptFeatures
  /** Bytes of each tower's features that may be kept in memory. */
  readonly budget: number
  readonly teacher: Tower
  /** Whether it is asked beside the student. */
  readonly isTaught: boolean
  /** Undefined where it is trained. */
  readonly student: Tower | undefined
  /** Whether the student's tower is known to be the teacher's. */
  readonly isTeachers: boolean
  readonly dropPath: StochasticDepth
}

/**
 * One and the same features for both where they see through equal towers: a tile passes one of them once. Towers from different
 * places are compared by digest, where there is a store that wants digests anyway. Fails with ComputeFailed.
 */
export const frozenTowers = Effect.fnUntraced(function* (towers: FrozenTowers) {
  const { backend, kept, budget, teacher, isTaught, student, isTeachers, dropPath } = towers
  const ofTeacher = keepingOf(kept, { backend, ...teacher })
  const teacherFeatures = makeVisionFeatures({ backend, budget, ...teacher, keeping: ofTeacher })
  const shared = { teacherFeatures, studentFeatures: teacherFeatures }
  if (student === undefined) return { teacherFeatures, studentFeatures: undefined }
  const isSteady = dropPath.rate === 0
  if (isSteady && isTeachers) return shared
  const ofStudent = keepingOf(kept, { backend, ...student })
  if (isSteady && isTaught && (yield* computing(() => isOneTower(ofTeacher, ofStudent)))) return shared
  const studentFeatures: VisionFeatures = makeVisionFeatures({
    ...{ backend, budget, dropPath, keeping: ofStudent },
    ...student
  })
  return { teacherFeatures, studentFeatures }
})
