/** One text for one JSON value: keys sorted, no white space, -0 kept. Digests and saved states are built on it. */
import type { Json, JsonObject } from "effect/Schema"

/** Serializes `value` so that equal values give equal bytes whatever the order of their keys. */
export const canonicalJson = (value: Json): string => {
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : JSON.stringify(value)
  if (value === null || typeof value !== "object") return JSON.stringify(value)
  if (isJsonArray(value)) return `[${value.map(canonicalJson).join(",")}]`
  const fields = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] ?? null)}`)
  return `{${fields.join(",")}}`
}

/** True for an object that is neither an array nor null. */
export const isJsonObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !isJsonArray(value)

/** `Array.isArray` that keeps the readonly element type. */
export const isJsonArray = (value: Json | undefined): value is ReadonlyArray<Json> => Array.isArray(value)
