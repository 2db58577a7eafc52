/** Calls that do not depend on each other. */
import type { Backend } from "./Backend.ts"

/**
 * What `calls` returns, computed in one task of the backend's threads where it can be: for small products of one operand, such as
 * queries, keys and values. Only a hint: calls that do depend on each other come out the same.
 *
 * @example const [gate, up] = together(x.backend, () => [linear(x, wGate), linear(x, wUp)] as const)
 */
export const together = <T>(backend: Backend, calls: () => T): T =>
  backend.together === undefined ? calls() : backend.together(calls)
