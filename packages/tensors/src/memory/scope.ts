/**
 * Scoped memory: what is allocated inside a scope and not returned from it is released at its end, also when it throws.
 * What the autodiff tape saved lives on through the tape's own aliases until the backward pass has used it.
 */
import type { Tensor } from "../core/Tensor.ts"
import { disown, type Owner, ownedBy } from "./owner.ts"

/** Takes a tensor out of its scope: the caller releases it. */
export const keep = <T extends Tensor>(tensor: T): T => {
  disown(tensor)
  return tensor
}

/** Runs `body` outside of every scope: what it allocates belongs to the caller. */
export const unscoped = <T>(body: () => T): T => ownedBy(undefined, body)

/** Calls `visit` on every tensor inside arrays, records and maps. */
const visitTensors = (
  value: unknown,
  isTensor: (value: object) => value is Tensor,
  visit: (tensor: Tensor) => void
) => {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return
  if (isTensor(value)) visit(value)
  else if (value instanceof Map) for (const item of value.values()) visitTensors(item, isTensor, visit)
  else for (const item of Object.values(value)) visitTensors(item, isTensor, visit)
}

const looksLikeTensor = (value: object): value is Tensor => "storage" in value && "released" in value

/** Every tensor in a tree of arrays, records and maps. */
export const tensorsIn = (value: unknown): readonly Tensor[] => {
  const found: Tensor[] = []
  visitTensors(value, looksLikeTensor, (tensor) => found.push(tensor))
  return found
}

/** Runs `body`; afterwards releases every tensor allocated in it, except those in its result, which pass to the outer scope. */
export const scope = <T>(body: () => T): T => {
  const own: Owner = new Set()
  try {
    return ownedBy(own, (outer) => {
      const result = body()
      if (result instanceof Promise)
        throw new TypeError("scope: the body must be synchronous; read results outside of it")
      for (const tensor of tensorsIn(result)) {
        if (own.delete(tensor)) outer?.add(tensor)
      }
      return result
    })
  } finally {
    for (const tensor of own) tensor.release()
  }
}
