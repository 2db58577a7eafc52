/** The messages of an ONNX file, with the field numbers of onnx.proto (IR version 10). */
import { type Bytes, floatField, integerField, type Message, messageField, textField } from "./Message.ts"

/** TensorProto.DataType, and bytes of an element. */
const elementTypes = {
  f32: { code: 1, bytes: 4 },
  u8: { code: 2, bytes: 1 },
  i32: { code: 6, bytes: 4 },
  i64: { code: 7, bytes: 8 },
  f16: { code: 10, bytes: 2 },
  bf16: { code: 16, bytes: 2 }
} as const

export type ElementType = keyof typeof elementTypes

export const elementBytes = (type: ElementType): number => elementTypes[type].bytes
export const elementCode = (type: ElementType): number => elementTypes[type].code

/** A whole number is an INT, `{ float }` a FLOAT, a list INTS. */
type Attribute = number | string | readonly number[] | { readonly float: number }
export type Attributes = Readonly<Record<string, Attribute>>

/** Number in AttributeProto.AttributeType, and the field that holds the value. */
const attributeValue = (value: Attribute): readonly [type: number, field: Message] => {
  if (typeof value === "number") return [2, integerField(3, value)]
  if (typeof value === "string") return [3, textField(4, value)]
  if ("float" in value) return [1, floatField(2, value.float)]
  return [7, value.flatMap((each) => integerField(8, each))]
}

const attribute = ([name, value]: readonly [string, Attribute]): Message => {
  const [type, field] = attributeValue(value)
  return [...textField(1, name), ...field, ...integerField(20, type)]
}

export interface Node {
  readonly type: string
  /** "" is ONNX itself. */
  readonly domain: string
  /** Names of values; "" leaves an optional one out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Attributes
}

const nodeProto = ({ type, domain, inputs, outputs, attributes }: Node): Message => [
  ...inputs.flatMap((name) => textField(1, name)),
  ...outputs.flatMap((name) => textField(2, name)),
  ...textField(4, type),
  ...Object.entries(attributes).flatMap((each) => messageField(5, attribute(each))),
  ...(domain === "" ? [] : textField(7, domain))
]

/** Numbers that are stored in the file. */
export interface Initializer {
  readonly name: string
  readonly type: ElementType
  readonly shape: readonly number[]
  /** Row-major, little-endian. */
  readonly bytes: Bytes
}

/** A tensor's bytes in a file beside the graph. */
export interface ExternalPlace {
  /** Name of that file, in the directory of the graph's. */
  readonly location: string
  readonly offset: number
}

const entry = (key: string, value: string): Message => messageField(13, [...textField(1, key), ...textField(2, value)])

/** Where the bytes are that the file itself does not have. */
const externalFields = ({ location, offset }: ExternalPlace, length: number): Message => [
  ...entry("location", location),
  ...entry("offset", `${offset}`),
  ...entry("length", `${length}`),
  ...integerField(14, 1)
]

const tensorProto = ({ name, type, shape, bytes }: Initializer, place: ExternalPlace | undefined): Message => [
  ...shape.flatMap((size) => integerField(1, size)),
  ...integerField(2, elementCode(type)),
  ...textField(8, name),
  ...(place === undefined ? messageField(9, [bytes]) : externalFields(place, bytes.byteLength))
]

/** An input or output of a graph; a size that is a text differs from call to call. */
export interface Value {
  readonly name: string
  readonly type: ElementType
  readonly shape: readonly (number | string)[]
}

const dimension = (size: number | string): Message =>
  typeof size === "number" ? integerField(1, size) : textField(2, size)

const valueInfo = ({ name, type, shape }: Value): Message => {
  const dimensions = shape.flatMap((size) => messageField(1, dimension(size)))
  const tensorType = [...integerField(1, elementCode(type)), ...messageField(2, dimensions)]
  return [...textField(1, name), ...messageField(2, messageField(1, tensorType))]
}

export interface GraphParts {
  readonly name: string
  readonly nodes: readonly Node[]
  readonly initializers: readonly Initializer[]
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
}

const graphProto = ({ name, nodes, initializers, inputs, outputs }: GraphParts, places: Places): Message => [
  ...nodes.flatMap((node) => messageField(1, nodeProto(node))),
  ...textField(2, name),
  ...initializers.flatMap((each) => messageField(5, tensorProto(each, places.get(each.name)))),
  ...inputs.flatMap((value) => messageField(11, valueInfo(value))),
  ...outputs.flatMap((value) => messageField(12, valueInfo(value)))
]

type Places = ReadonlyMap<string, ExternalPlace>

const operatorSet = (domain: string, version: number): Message => [...textField(1, domain), ...integerField(2, version)]

/** What onnxruntime adds to the operators of ONNX. */
export const microsoft = "com.microsoft"

/** A whole file; weights that have a place are in others. */
export const modelProto = (graph: GraphParts, places: Places = new Map()): Message => [
  ...integerField(1, 10),
  ...textField(2, "speedq"),
  ...messageField(7, graphProto(graph, places)),
  ...messageField(8, operatorSet("", 21)),
  ...messageField(8, operatorSet(microsoft, 1))
]

/** What a file may take: a message of protobuf has no more. */
export const mostBytes = 2 ** 31 - 1
