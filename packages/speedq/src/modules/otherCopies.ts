/**
 * Packages that a module would get twice. Two copies of @speedq/tensors do not see each other's tapes and scopes: gradients would be
 * lost without a word, so a module that imports its own copy is refused before it runs.
 */
import { realpathSync } from "node:fs"
import { createRequire } from "node:module"

interface OtherCopy {
  readonly name: string
  /** Where the module finds it, and where this program does. */
  readonly theirs: string
  readonly ours: string
}

/** Packages that must be one copy, as an import names them; a subpath belongs to its package. */
const shared = /\bfrom\s*["'](@speedq\/[a-z-]+|effect|speedq)(?:\/[^"']*)?["']/g

/** The file that a package's name leads to from `base`; undefined where it is not installed. */
const found = (base: string, name: string): string | undefined => {
  try {
    return realpathSync(createRequire(base).resolve(name))
  } catch {
    return undefined // The import itself says what is missing.
  }
}

/** By the imports of the module's own text; those of files that it imports are not looked at. */
export const otherCopies = (path: string, text: string): readonly OtherCopy[] => {
  const names = new Set([...text.matchAll(shared)].map(([, name]) => name!))
  return [...names].flatMap((name) => {
    const [theirs, ours] = [found(path, name), found(import.meta.filename, name)]
    return theirs === undefined || ours === undefined || theirs === ours ? [] : [{ name, theirs, ours }]
  })
}
