/** Paths of the command line count from where the command was given, also once its work has gone to another directory. */
import { resolve } from "node:path"

/** Keeps a path as it was written while the process stays where it is now, and makes it absolute afterwards. */
export const givenHere = (): ((path: string) => string) => {
  const here = process.cwd()
  return (path) => (process.cwd() === here ? path : resolve(here, path))
}
