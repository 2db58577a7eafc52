/** The parameters of one part of the model: vision tower, projector, or language model. */
import type { Parameters } from "@speedq/tensors"
import { type Tower, towerOf } from "@speedq/vlm-model"

export const towerParameters = (tower: Tower, parameters: Parameters): Parameters =>
  Object.fromEntries(Object.entries(parameters).filter(([name]) => towerOf(name) === tower))
