/** Where a record's image or video lies. */
import { isAbsolute, join } from "node:path"
import * as Effect from "effect/Effect"

/** Joins a data set's root and a record's entry; an absolute entry stands alone. Fails with a reason for remote paths. */
export const recordPath = (root: string, entry: string): Effect.Effect<string, string> =>
  /^[a-z][a-z0-9+.-]+:\/\//i.test(entry)
    ? Effect.fail(`${entry} is a remote path; only local files are read, download it first`)
    : Effect.succeed(isAbsolute(entry) ? entry : join(root, entry))
