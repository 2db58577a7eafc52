/** What decides the bits that a process computes: runners and coordinator of a step have the same. */
import { createHash } from "node:crypto"
import * as Schema from "effect/Schema"

export const Identity = Schema.Struct({
  /** Version of the program, digest of its code in a clone, version of Node. */
  build: Schema.String,
  /** Name of the backend, with what multiplies in it and its threads. */
  backend: Schema.String,
  /** Digest of the results of some computations: two processors, or two builds of a BLAS, may round otherwise under one name. */
  numbers: Schema.String,
  /** Its plugins by name, with the digests of their files: they compute, too. */
  plugins: Schema.String
})
export type Identity = typeof Identity.Type

const digestOf = (parts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16)

/** Runners of one identity are a group of shards of the cluster: a unit goes to no other. Its name is a part of short keys. */
export const groupOf = ({ build, backend, numbers, plugins }: Identity): string =>
  digestOf([build, backend, numbers, plugins])

/** Runners of one build with the same plugins are a group, too: for units that may be computed with other bits. */
export const looseGroupOf = ({ build, plugins }: Identity): string => digestOf([build, plugins])

const fields = [
  ["build", "version", "install the same version"],
  ["plugins", "plugins", "give run and runner the same files with --plugin, and those that they import"],
  ["backend", "backend", "start the runner with the same --backend, and SPEEDQ_THREADS where their number differs"],
  [
    "numbers",
    "digest of computed numbers",
    "its processor or libraries round otherwise; use machines of one kind, or native:none, which rounds alike everywhere"
  ]
] as const

/**
 * The first thing in which two differ, in words; undefined where they compute the same bits. With `isLoose` only build and plugins count:
 * other bits are allowed.
 */
export const differenceOf = (run: Identity, runner: Identity, isLoose = false) => {
  const found = fields.find(
    ([field]) => run[field] !== runner[field] && (!isLoose || field === "build" || field === "plugins")
  )
  if (found === undefined) return undefined
  const [field, name, fix] = found
  return { field: name, ofRun: run[field], ofRunner: runner[field], fix }
}
