/** The part of a tree of parameters whose names begin alike. */
import type { Parameters } from "@speedq/tensors"

export const parametersBelow = (prefix: string, parameters: Parameters): Parameters =>
  Object.fromEntries(Object.entries(parameters).filter(([name]) => name.startsWith(prefix)))
