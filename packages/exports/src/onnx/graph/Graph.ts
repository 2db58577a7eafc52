/** A graph under construction: operators that take values by name and give names, and the numbers that they need. */
import { bytesOf } from "@speedq/formats"
import { sizeOf } from "@speedq/tensors"
import type { LateBytes } from "../protobuf/Message.ts"
import {
  type Attributes,
  type ElementType,
  elementBytes,
  elementCode,
  type GraphParts,
  type Initializer,
  type Node,
  type Value
} from "../protobuf/onnxMessages.ts"

const constantBytes = {
  i64: (values: readonly number[]) => bytesOf(BigInt64Array.from(values, BigInt)),
  u8: (values: readonly number[]) => Uint8Array.from(values),
  f32: (values: readonly number[]) => bytesOf(Float32Array.from(values))
} as const

export class Graph {
  readonly #nodes: Node[] = []
  readonly #initializers = new Map<string, Initializer>()
  #results = 0

  /** One operator with one result. */
  op(type: string, inputs: readonly string[], attributes: Attributes = {}, domain = ""): string {
    const output = this.#nextName()
    this.ops(type, inputs, [output], attributes, domain)
    return output
  }

  /** One operator whose results have these names. */
  ops(
    type: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Attributes = {},
    domain = ""
  ): void {
    this.#nodes.push({ type, domain, inputs, outputs, attributes })
  }

  /** Numbers of a weight, made when the file is written; a second use of a name is the first one's numbers. */
  weight(name: string, type: ElementType, shape: readonly number[], make: LateBytes["make"]): string {
    return this.#initializer({ name, type, shape, bytes: { byteLength: sizeOf(shape) * elementBytes(type), make } })
  }

  /** A table of numbers that are known now. */
  table(name: string, values: Float32Array, shape: readonly number[]): string {
    return this.#initializer({ name, type: "f32", shape, bytes: bytesOf(values) })
  }

  /** A few numbers that are known now: a list, or a single one without a dimension. */
  constant(type: keyof typeof constantBytes, values: number | readonly number[]): string {
    const list = typeof values === "number" ? [values] : values
    const shape = typeof values === "number" ? [] : [list.length]
    return this.#initializer({
      name: `${type}:${JSON.stringify(values)}`,
      type,
      shape,
      bytes: constantBytes[type](list)
    })
  }

  /** The same values as another type. */
  cast(value: string, type: ElementType): string {
    return this.op("Cast", [value], { to: elementCode(type) })
  }

  /** 0 keeps a size, -1 is what is left. */
  reshape(value: string, shape: readonly number[]): string {
    return this.op("Reshape", [value, this.constant("i64", shape)])
  }

  /** The elements [from, to) of an axis; negative ones count from the end. */
  slice(value: string, axis: number, from: number, to: number): string {
    return this.op("Slice", [value, ...[from, to, axis].map((each) => this.constant("i64", [each]))])
  }

  /** Equal parts of the last axis. */
  split(value: string, count: number): readonly string[] {
    const outputs = Array.from({ length: count }, () => this.#nextName())
    this.ops("Split", [value], outputs, { axis: -1, num_outputs: count })
    return outputs
  }

  parts(name: string, inputs: readonly Value[], outputs: readonly Value[]): GraphParts {
    return { name, nodes: this.#nodes, initializers: [...this.#initializers.values()], inputs, outputs }
  }

  #initializer(initializer: Initializer): string {
    const { name } = initializer
    if (!this.#initializers.has(name)) this.#initializers.set(name, initializer)
    return name
  }

  #nextName(): string {
    return `t${++this.#results}`
  }
}
