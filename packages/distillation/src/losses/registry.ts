/** Every loss by its id. A new one is one file and one line here. */
import { decodeOptions } from "@speedq/formats"
import { LossOptionsInvalid, UnknownLoss } from "../Errors.ts"
import { cakldLoss } from "./cakld.ts"
import { crossEntropyLoss } from "./crossEntropy.ts"
import type { Loss, LossChoice } from "./Loss.ts"

export const losses: readonly Loss[] = [crossEntropyLoss, cakldLoss]

/** A loss as recipes in JSON name it. */
export interface LossSpec {
  readonly use: string
  readonly with?: object | undefined
}

/** The loss that a recipe means; `known` adds a user's own. Raises UnknownLoss and LossOptionsInvalid. */
export const decodeLoss = ({ use, with: options = {} }: LossSpec, known: readonly Loss[] = losses): LossChoice => {
  const loss = known.find(({ id }) => id === use)
  if (loss === undefined) throw new UnknownLoss({ use, known: known.map(({ id }) => id) })
  return { loss, config: decodeOptions(loss.Config, options, (issue) => new LossOptionsInvalid({ use, issue })) }
}
