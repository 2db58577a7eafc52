/**
 * TensorBoard's event records: a scalar event in protobuf, framed as a TFRecord.
 * Event { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5 },
 * Summary { repeated Value value = 1 }, Value { string tag = 1; float simple_value = 2 }.
 */
import { crc32c } from "./crc32c.ts"

const varint = (value: number): ReadonlyArray<number> => {
  const bytes: Array<number> = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return [...bytes, rest]
}

const field = (number: number, wireType: 0 | 1 | 2 | 5, bytes: ArrayLike<number>): ReadonlyArray<number> => {
  const length = wireType === 2 ? varint(bytes.length) : []
  return [...varint((number << 3) | wireType), ...length, ...Array.from(bytes)]
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const double = (value: number): Uint8Array => new Uint8Array(Float64Array.of(value).buffer)
const float = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer)

/** The event that opens a file and names its format. */
export const versionEvent = (seconds: number): Uint8Array =>
  Uint8Array.from([...field(1, 1, double(seconds)), ...field(3, 2, text("brain.Event:2"))])

/** Numbers of one step, each under its tag. */
export const scalarEvent = (seconds: number, step: number, scalars: { readonly [tag: string]: number }): Uint8Array => {
  const values = Object.entries(scalars).flatMap(([tag, value]) =>
    field(1, 2, [...field(1, 2, text(tag)), ...field(2, 5, float(value))])
  )
  return Uint8Array.from([...field(1, 1, double(seconds)), ...field(2, 0, varint(step)), ...field(5, 2, values)])
}

// TFRecord stores checksums rotated and offset, so that a checksum of checksums stays strong.
const masked = (bytes: Uint8Array): number => {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** Frames a record: length (u64), its checksum, the data, their checksum; little-endian. */
export const tfRecord = (data: Uint8Array): Uint8Array => {
  const record = new Uint8Array(8 + 4 + data.byteLength + 4)
  const view = new DataView(record.buffer)
  view.setBigUint64(0, BigInt(data.byteLength), true)
  view.setUint32(8, masked(record.subarray(0, 8)), true)
  record.set(data, 12)
  view.setUint32(12 + data.byteLength, masked(data), true)
  return record
}
