/** Who owns what is allocated now: the innermost scope, or nobody. All it knows of a tensor is that it can be released. */

interface Releasable {
  release(): void
}

export type Owner = Set<Releasable>

let current: Owner | undefined

/** Gives a new tensor to its owner. */
export const adopt = (tensor: Releasable): void => {
  current?.add(tensor)
}

/** Takes a tensor from its owner. */
export const disown = (tensor: Releasable): void => {
  current?.delete(tensor)
}

/** Runs `body` with another owner, or none; it also gets the one outside of it. */
export const ownedBy = <T>(owner: Owner | undefined, body: (outer: Owner | undefined) => T): T => {
  const outer = current
  current = owner
  try {
    return body(outer)
  } finally {
    current = outer
  }
}
