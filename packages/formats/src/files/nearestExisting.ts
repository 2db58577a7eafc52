/** Where something is to be made that is not there yet. */
import { existsSync } from "node:fs"
import { dirname, resolve } from "node:path"

/** The path itself, or the nearest one above it that exists, absolute. What the system does not let us see counts as not there. */
export const nearestExisting = (path: string): string => {
  let current = resolve(path)
  while (!existsSync(current) && dirname(current) !== current) current = dirname(current)
  return current
}
