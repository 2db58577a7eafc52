/** Finds what made a step unusable, for its message. */
import type { Parameters, Tensor } from "@speedq/tensors"
import type { Accumulated } from "./Learner.ts"

const allFinite = async (tensor: Tensor): Promise<boolean> => (await tensor.read()).every(Number.isFinite)

/** The first parameter that holds NaN or infinity, else the first gradient that does, else the loss; undefined when all is well. */
export const firstNonFinite = async (
  parameters: Parameters,
  { gradients, loss }: Accumulated
): Promise<string | undefined> => {
  for (const [name, parameter] of Object.entries(parameters)) if (!(await allFinite(parameter))) return name
  for (const [name, gradient] of Object.entries(gradients)) {
    if (!(await allFinite(gradient))) return `the gradient of ${name}`
  }
  return (await allFinite(loss)) ? undefined : "the loss"
}
