/** Parts that the options of several quantizers are made of. */
import type { Shape } from "@speedq/tensors"
import * as Schema from "effect/Schema"

/** A number of weights, or of scales, that share something. */
export const groupSize = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4096 }))

/** Why the rows of a weight [out, in] cannot be cut into groups of `group` input columns, or undefined. */
export const columnObstacle = (group: number, [, columns = 0]: Shape): string | undefined =>
  columns % group === 0 ? undefined : `${columns} input columns are not a multiple of group ${group}`
