/** What a value of each kind must have: JavaScript has no types that would tell, and a run must not find out at its last step. */
import type { Loss } from "@speedq/distillation"
import type { Benchmark } from "@speedq/evaluation"
import type { Exporter } from "@speedq/exports"
import { nearest } from "@speedq/formats"
import type { Quantizer } from "@speedq/quantizers"
import * as Schema from "effect/Schema"
import type { OwnStage } from "./Extensions.ts"

const isObject = (value: unknown): value is { readonly [field: string]: unknown } =>
  typeof value === "object" && value !== null

export const checks = {
  text: (value: unknown) => typeof value === "string" && value !== "",
  "file name": (value: unknown) => typeof value === "string" && /^[^/\\\0]+$/.test(value),
  number: Number.isFinite,
  boolean: (value: unknown) => typeof value === "boolean",
  list: Array.isArray,
  object: isObject,
  function: (value: unknown) => typeof value === "function",
  schema: Schema.isSchema
}
type Check = keyof typeof checks

type Optional<V> = { [F in keyof V]-?: Record<never, never> extends Pick<V, F> ? F : never }[keyof V]

/** The fields of an interface: a field that it gains, and that is not listed here, does not compile. */
interface Kind<V> {
  /** What one is called in messages. */
  readonly noun: string
  /** The field that recipes name it by. */
  readonly id: string
  readonly needs: { readonly [F in Exclude<keyof V, Optional<V>>]: Check }
  readonly may: { readonly [F in Optional<V>]: Check }
}

/** A value of each list. `Stage.define` makes stages, so that their insides are sound. */
interface ValueOf {
  readonly quantizers: Quantizer
  readonly losses: Loss
  readonly exporters: Exporter
  readonly benchmarks: Benchmark
  readonly stages: OwnStage & { readonly version?: unknown; readonly stage?: unknown }
}
export type ListName = keyof ValueOf

export const extensionKinds: { readonly [List in ListName]: Kind<ValueOf[List]> } = {
  quantizers: {
    noun: "quantizer",
    id: "id",
    needs: {
      id: "text",
      version: "number",
      Config: "schema",
      bitsPerWeight: "function",
      obstacle: "function",
      fakeQuantize: "function",
      stored: "function",
      quantize: "function",
      dequantize: "function"
    },
    may: {
      plugin: "text",
      rowwise: "boolean",
      largestWeight: "function",
      searchedAs: "function",
      searches: "function",
      affine: "object",
      grid: "object"
    }
  },
  losses: {
    noun: "loss",
    id: "id",
    needs: {
      id: "text",
      version: "number",
      description: "text",
      Config: "schema",
      needsTeacher: "function",
      rowLoss: "function"
    },
    may: {}
  },
  exporters: {
    noun: "export format",
    id: "id",
    needs: {
      id: "file name",
      version: "number",
      description: "text",
      Config: "schema",
      checkedBy: "list",
      directoryName: "function",
      bytes: "function",
      write: "function"
    },
    may: { refusal: "function", holds: "function", keepsCodes: "boolean" }
  },
  benchmarks: {
    noun: "benchmark",
    id: "name",
    needs: {
      name: "file name",
      version: "number",
      about: "text",
      columns: "list",
      maxTiles: "number",
      upscaleFirst2x: "boolean",
      generation: "object",
      prompt: "function",
      mark: "function",
      scoreFile: "function"
    },
    may: { origin: "object", reportedSplit: "text", unit: "text", answer: "function" }
  },
  stages: {
    noun: "stage",
    id: "name",
    needs: { name: "file name", gives: "list", configAst: "object", decode: "function" },
    may: { version: "number", stage: "function" }
  }
}

/** A kind as far as its values are looked at. */
export interface AnyKind {
  readonly noun: string
  readonly id: string
  readonly needs: { readonly [field: string]: Check }
  readonly may: { readonly [field: string]: Check }
}

/** `quantizer "ternary"`, or its place where it has no id. */
export const titleOf = ({ noun, id }: AnyKind, value: unknown, place: number): string => {
  const named = isObject(value) ? value[id] : undefined
  return typeof named === "string" ? `${noun} "${named}"` : `${noun} ${place + 1} of the list`
}

/** What is wrong with a value of a kind; nothing where it is one. */
export const problemsOf = ({ noun, needs, may }: AnyKind, value: unknown): readonly string[] => {
  if (!isObject(value)) return [`it is ${value === null ? "null" : typeof value}, not the value of a ${noun}`]
  const known: AnyKind["needs"] = { ...needs, ...may }
  const wrong = Object.entries(known)
    .filter(([field, check]) => (field in needs || value[field] !== undefined) && !checks[check](value[field]))
    .map(([field, check]) => `"${field}" must be a ${check}`)
  const strange = Object.keys(value)
    .filter((field) => !(field in known))
    .map((field) => {
      const [near] = nearest(field, Object.keys(known), 1)
      return `a ${noun} has no "${field}"${near === undefined ? "" : `; did you mean "${near}"?`}`
    })
  return [...wrong, ...strange]
}
