/** Safetensors bytes put together by hand, valid or not, apart from the package's own writer. */
export interface RawEntry {
  readonly dtype: string
  readonly shape: ReadonlyArray<number>
  readonly data_offsets: ReadonlyArray<number>
}

/** Length field, the JSON text as it is, the data. */
export const rawFile = (
  json: string | Uint8Array,
  data: Uint8Array = new Uint8Array(0),
  length?: bigint
): Uint8Array => {
  const header = typeof json === "string" ? new TextEncoder().encode(json) : json
  const file = new Uint8Array(8 + header.length + data.length)
  new DataView(file.buffer).setBigUint64(0, length ?? BigInt(header.length), true)
  file.set(header, 8)
  file.set(data, 8 + header.length)
  return file
}

/** Bytes 0, 1, 2, ... mod 251, so that no two short ranges look alike. */
export const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i % 251)
