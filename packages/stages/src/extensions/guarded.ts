/**
 * Values of plugins as a run calls them: what their methods throw, and a result that is none, is one error that names the plugin,
 * its part and the method. Without this a run would end in a stack trace, or go on with a number that is not one.
 */
import { UnscorableRow } from "@speedq/evaluation"
import { Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { reasonOf } from "../Errors.ts"
import { type AnyKind, checks, type ListName } from "./extensionKinds.ts"
import { PluginFailed } from "./PluginFailed.ts"

const results = {
  ...checks,
  count: (value: unknown) => Number.isFinite(value) && (value as number) >= 0,
  tensor: (value: unknown) => value instanceof Tensor,
  effect: Effect.isEffect,
  "text or undefined": (value: unknown) => value === undefined || typeof value === "string"
}
type Expected = keyof typeof results

/** What methods give; one that is not listed may give anything. */
const resultsOf: { readonly [List in ListName]: { readonly [method: string]: Expected } } = {
  quantizers: {
    bitsPerWeight: "count",
    obstacle: "text or undefined",
    fakeQuantize: "tensor",
    stored: "list",
    quantize: "object",
    dequantize: "tensor",
    largestWeight: "number",
    searches: "boolean"
  },
  losses: { needsTeacher: "boolean", rowLoss: "object", rowWeights: "object", rows: "tensor" },
  exporters: { directoryName: "file name", bytes: "count", write: "effect" },
  benchmarks: { prompt: "text", mark: "object", scoreFile: "object" },
  stages: {
    fingerprint: "effect",
    versions: "effect",
    forecast: "effect",
    continuation: "effect",
    begin: "effect",
    step: "effect"
  }
}

type Methods = { readonly [name: string]: unknown }

/** Methods whose result has methods of its own, which are called later: how these are reached. */
const making: { readonly [method: string]: (result: never, each: (made: object) => Methods) => unknown } = {
  rowLoss: (loss: object, each) => each(loss),
  // A stage, and the session that it begins.
  decode: (stage: Result.Result<object, unknown>, each) => Result.map(stage, each),
  begin: (session: Effect.Effect<object>, each) => Effect.map(session, each)
}

/** A value in some words. */
const shown = (value: unknown): string =>
  typeof value === "object" && value !== null ? `a value of ${value.constructor?.name ?? "no class"}` : String(value)

/** FILE:LINE:COLUMN of the innermost frame of a stack that is in a file. */
const placeOf = (error: unknown): string => {
  const stack = error instanceof Error ? (error.stack ?? "") : ""
  const place = /^\s+at .*?((?:\/|[A-Za-z]:[\\/])[^()]*:\d+:\d+)\)?$/m.exec(stack)?.[1]
  return place === undefined ? "" : ` at ${place}`
}

/** Names of an object's fields and methods, those of its class included. */
const namesOf = (value: object): readonly string[] => {
  const names = new Set<string>()
  for (let at: object | null = value; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name)
  }
  names.delete("constructor")
  return [...names]
}

/** A value of a plugin of the list `list`, which keeps its own object: methods may use private fields. */
export const guarded = <V extends object>(value: V, list: ListName, kind: AnyKind, what: string, plugin: string): V => {
  const fail = (did: string, cause?: unknown) =>
    new PluginFailed({ plugin, what, did, ...(cause === undefined ? {} : { cause }) })
  const failed = (method: string, error: unknown): Error =>
    // What a benchmark says of a row is no mistake of it.
    error instanceof PluginFailed || error instanceof UnscorableRow
      ? error
      : fail(`${method} threw "${reasonOf(error)}"${placeOf(error)}`, error)

  const calling = (owner: object, method: string, call: (...args: readonly unknown[]) => unknown) => {
    const expected = resultsOf[list][method]
    return (...args: readonly unknown[]): unknown => {
      let result: unknown
      try {
        result = call.apply(owner, [...args])
      } catch (error) {
        throw failed(method, error)
      }
      if (expected !== undefined && !results[expected](result)) {
        throw fail(`${method} gave ${shown(result)}, which is no ${expected}`)
      }
      const caught = Effect.isEffect(result) ? catching(method, result) : result
      return making[method]?.(caught as never, (made) => withMethods(made)) ?? caught
    }
  }

  /** The same effect; what it throws is told as thrown by `method`. */
  const catching = (method: string, effect: Effect.Effect<unknown, unknown, unknown>) =>
    Effect.catchDefect(effect, (error) => Effect.die(failed(method, error)))

  /** A copy whose functions are called by `calling`, and whose effects are caught; a schema may be a function as well, and stays as it is. */
  const withMethods = (object: object, isMethod: (name: string) => boolean = () => true): Methods =>
    Object.fromEntries(
      namesOf(object).map((name) => {
        const field = (object as Methods)[name]
        if (typeof field === "function" && isMethod(name)) return [name, calling(object, name, field as () => unknown)]
        return [name, Effect.isEffect(field) ? catching(name, field as Effect.Effect<unknown>) : field]
      })
    )

  const known: AnyKind["needs"] = { ...kind.needs, ...kind.may }
  const copy = withMethods(value, (name) => known[name] === "function")
  const parts = Object.entries(copy).flatMap(([name, part]) =>
    known[name] === "object" && part !== undefined ? [[name, withMethods(part as object)] as const] : []
  )
  return { ...copy, ...Object.fromEntries(parts) } as V
}
