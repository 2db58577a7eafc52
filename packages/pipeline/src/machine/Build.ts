/** Which build of this program computes. It is no part of a key: another build of the same versions continues, and says so. */
import { createRequire } from "node:module"
import * as Context from "effect/Context"

const { version }: { readonly version: string } = createRequire(import.meta.url)("../../package.json")

/** In words, for records and messages. A reference, so that tests can replace it. */
export const Build = Context.Reference<string>("@speedq/pipeline/Build", {
  defaultValue: () => `speedq ${version}, Node ${process.versions.node}`
})
