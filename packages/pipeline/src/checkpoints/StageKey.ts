/**
 * The identity of a stage's result: everything that is meant to change it, and the digest of that. A build of this program is not
 * in it (machine/Build.ts): whatever computes a result has a version of its own, which is raised when its numbers change.
 */
import { createHash } from "node:crypto"
import type { Json } from "effect/Schema"
import * as Schema from "effect/Schema"
import { canonicalJson, isJsonArray, isJsonObject } from "../json/canonicalJson.ts"

/** Data that steps of a stage saw before it changed: its fingerprint, and how many steps were done by then. */
const Before = Schema.Struct({ data: Schema.String, steps: Schema.Int })

/**
 * What a key is made of. `config` is without policy options; `versions` are those of what the stage computes with; `inputs` maps
 * each artefact that it reads to the key of the stage that made it. `data` is the fingerprint of what it reads from outside, `before`
 * what that was for its first steps, where the stage went on over a change of it: such a result is not that of a new start.
 */
export const KeyParts = Schema.Struct({
  stage: Schema.String,
  version: Schema.Int,
  config: Schema.Json,
  versions: Schema.Record(Schema.String, Schema.Union([Schema.Number, Schema.String])),
  seed: Schema.Int,
  inputs: Schema.Record(Schema.String, Schema.String),
  data: Schema.String,
  before: Schema.optionalKey(Schema.Array(Before))
})
export interface KeyParts extends Schema.Schema.Type<typeof KeyParts> {}

/** A key: the SHA-256 of its parts in canonical JSON, in hexadecimal, with the parts kept to explain a difference. */
export interface StageKey {
  readonly id: string
  readonly parts: KeyParts
}

export const makeKey = (parts: KeyParts): StageKey => ({
  id: createHash("sha256")
    .update(canonicalJson({ ...parts }))
    .digest("hex"),
  parts
})

/** One field that differs between two keys, for example `config.steps: 100 -> 200`. */
export interface KeyChange {
  readonly field: string
  readonly before: string
  readonly after: string
}

// Digests are cut to what tells them apart.
const show = (value: Json | undefined): string => {
  if (value === undefined) return "nothing"
  return typeof value === "string" && /^[0-9a-f]{64}$/.test(value) ? value.slice(0, 8) : canonicalJson(value)
}

/** The fields in which two JSON values differ, deepest path each. */
export const jsonChanges = (
  before: Json | undefined,
  after: Json | undefined,
  field = ""
): ReadonlyArray<KeyChange> => {
  if (isJsonObject(before) && isJsonObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()
    return names.flatMap((name) => jsonChanges(before[name], after[name], field === "" ? name : `${field}.${name}`))
  }
  if (isJsonArray(before) && isJsonArray(after)) {
    const longer = Array.from({ length: Math.max(before.length, after.length) }, (_, index) => index)
    return longer.flatMap((index) => jsonChanges(before[index], after[index], `${field}[${index}]`))
  }
  return before !== undefined && after !== undefined && canonicalJson(before) === canonicalJson(after)
    ? []
    : [{ field, before: show(before), after: show(after) }]
}

/** The fields that make two keys differ, deepest path each. */
export const keyChanges = (before: KeyParts, after: KeyParts): ReadonlyArray<KeyChange> =>
  jsonChanges({ ...before }, { ...after })

const sameParts = (a: KeyParts, b: KeyParts) => canonicalJson({ ...a }) === canonicalJson({ ...b })

/** Whether what was made under `found` stands for a result of `wanted`: the data changed while it was made, and is what it is now. */
export const standsFor = (found: KeyParts, wanted: KeyParts): boolean => {
  const { before, ...same } = found
  return before !== undefined && sameParts(same, wanted)
}

/**
 * The key of what goes on over a change of data: `found` was made with other data and is the same otherwise. Undefined where more
 * than the data differs.
 */
export const changedKey = (found: KeyParts, wanted: KeyParts, steps: number): StageKey | undefined => {
  const { before = [], ...same } = found
  if (found.data === wanted.data || !sameParts({ ...same, data: wanted.data }, wanted)) return undefined
  return makeKey({ ...wanted, before: [...before, { data: found.data, steps }] })
}
