/** Metadata of a GGUF file: values with a type, by key, as bytes. */

type Scalar =
  | { readonly type: "u32" | "i32" | "f32"; readonly value: number }
  | { readonly type: "bool"; readonly value: boolean }
  | { readonly type: "string"; readonly value: string }

type List =
  | { readonly type: "array"; readonly of: "i32" | "f32"; readonly values: readonly number[] }
  | { readonly type: "array"; readonly of: "string"; readonly values: readonly string[] }

type MetadataValue = Scalar | List

/** In the order in which they are written. */
export type Metadata = Readonly<Record<string, MetadataValue>>

export const u32 = (value: number): MetadataValue => ({ type: "u32", value })
export const f32 = (value: number): MetadataValue => ({ type: "f32", value })
export const bool = (value: boolean): MetadataValue => ({ type: "bool", value })
export const string = (value: string): MetadataValue => ({ type: "string", value })
export const f32s = (values: readonly number[]): MetadataValue => ({ type: "array", of: "f32", values })
export const i32s = (values: readonly number[]): MetadataValue => ({ type: "array", of: "i32", values })
export const strings = (values: readonly string[]): MetadataValue => ({ type: "array", of: "string", values })

/** What the file calls the types of values. */
const typeIds = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9 } as const

/** Little-endian bytes that grow. */
export class ByteWriter {
  private view = new DataView(new ArrayBuffer(2 ** 12))
  private used = 0

  /** Bytes written. */
  get length(): number {
    return this.used
  }

  finish(): Uint8Array {
    return new Uint8Array(this.view.buffer, 0, this.used)
  }

  u32(value: number): void {
    this.put(4, (at) => this.view.setUint32(at, value, true))
  }

  u64(value: number): void {
    this.put(8, (at) => this.view.setBigUint64(at, BigInt(value), true))
  }

  /** Text after its length in bytes. */
  string(value: string): void {
    const bytes = new TextEncoder().encode(value)
    this.u64(bytes.length)
    this.put(bytes.length, (at) => new Uint8Array(this.view.buffer).set(bytes, at))
  }

  scalar({ type, value }: Scalar): void {
    if (type === "string") this.string(value)
    else if (type === "bool") this.put(1, (at) => this.view.setUint8(at, Number(value)))
    else if (type === "f32") this.put(4, (at) => this.view.setFloat32(at, value, true))
    else if (type === "i32") this.put(4, (at) => this.view.setInt32(at, value, true))
    else this.u32(value)
  }

  /** Zeros up to a multiple of `unit` bytes. */
  align(unit: number): void {
    this.put(-this.used & (unit - 1), () => {})
  }

  /** Makes room for so many bytes, which are zeros, and has them set. */
  private put(bytes: number, set: (at: number) => void): void {
    const at = this.used
    this.used += bytes
    if (this.used > this.view.byteLength) {
      const grown = new Uint8Array(2 * this.used)
      grown.set(new Uint8Array(this.view.buffer))
      this.view = new DataView(grown.buffer)
    }
    set(at)
  }
}

/** Appends key and value of each. */
export const writeMetadata = (writer: ByteWriter, metadata: Metadata): void => {
  for (const [key, value] of Object.entries(metadata)) {
    writer.string(key)
    writer.u32(typeIds[value.type])
    if (value.type !== "array") writer.scalar(value)
    else {
      writer.u32(typeIds[value.of])
      writer.u64(value.values.length)
      for (const each of value.values) writer.scalar({ type: value.of, value: each } as Scalar)
    }
  }
}
