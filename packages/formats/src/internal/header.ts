/**
 * The header of a safetensors file: u64 length N, then N bytes of JSON, then the tensors' bytes without holes.
 * { "__metadata__": { key: string }, name: { "dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end] } }, offsets from the end of the header.
 */

import { SafetensorsInvalid } from "../Errors.ts"
import { JsonCursor, JsonUnexpected } from "../json/JsonCursor.ts"
import { type DType, dtypes, elementBytes, isDType, tensorBytes } from "../numbers/DType.ts"

/** Bytes of JSON past which a header is refused unread, as the official implementation does. */
export const maxHeaderBytes = 100_000_000

/** What a tensor is: its name, element type and shape ([] for a scalar). */
export interface TensorSpec {
  readonly name: string
  readonly dtype: DType
  readonly shape: ReadonlyArray<number>
}

/** A tensor and its bytes [begin, end) of the data after the header. */
interface Entry extends TensorSpec {
  readonly begin: number
  readonly end: number
}

export interface Header {
  readonly metadata: Readonly<Record<string, string>>
  /** In the order of their bytes. */
  readonly entries: ReadonlyArray<Entry>
}

/** Decodes and checks the JSON of a header against the bytes of data that follow it. Throws SafetensorsInvalid. */
export const parseHeader = (json: Uint8Array, dataBytes: number, file: string): Header => {
  let tensor: string | undefined
  const fail = (reason: string, name = tensor): never => {
    throw new SafetensorsInvalid({ file, ...(name === undefined ? {} : { tensor: name }), reason })
  }
  const metadata: Array<readonly [string, string]> = []
  const entries: Array<Entry> = []
  try {
    if (json[0] !== 0x7b) fail("the header does not begin with '{': this is not a safetensors file")
    const cursor = new JsonCursor(decodeUtf8(json) ?? fail("the header is not UTF-8"))
    cursor.object((name) => {
      if (name === "__metadata__") return cursor.object((key) => metadata.push([key, cursor.string()]))
      tensor = name
      entries.push(parseEntry(cursor, name, dataBytes, fail))
      tensor = undefined
    })
    cursor.end()
  } catch (error) {
    if (error instanceof JsonUnexpected) fail(`the header is not valid: ${error.message}`)
    throw error
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end)
  let covered = 0
  for (const { name, begin, end } of entries) {
    if (begin < covered) fail(`its bytes from ${begin} overlap another tensor's, which end at ${covered}`, name)
    if (begin > covered) fail(`its bytes begin at ${begin} and leave a hole after ${covered}`, name)
    covered = end
  }
  if (covered !== dataBytes) fail(`the tensors take ${covered} bytes, the file holds ${dataBytes} after its header`)
  // fromEntries defines own keys, so "__proto__" is a key like any other.
  return { metadata: Object.fromEntries(metadata), entries }
}

const parseEntry = (cursor: JsonCursor, name: string, dataBytes: number, fail: (reason: string) => never): Entry => {
  let dtype: string | undefined
  let shape: ReadonlyArray<number> | undefined
  let offsets: ReadonlyArray<number> | undefined
  cursor.object((field) => {
    if (field === "dtype") dtype = cursor.string()
    else if (field === "shape") shape = cursor.array(() => cursor.count())
    else if (field === "data_offsets") offsets = cursor.array(() => cursor.count())
    else cursor.skip()
  })
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    return fail("its entry needs dtype, shape and data_offsets")
  }
  if (!isDType(dtype)) return fail(`unknown dtype ${JSON.stringify(dtype.slice(0, 50))}, known: ${dtypes.join(" ")}`)
  const [begin, end] = offsets
  if (offsets.length !== 2 || begin === undefined || end === undefined) {
    return fail(`data_offsets has ${offsets.length} numbers, not 2`)
  }
  if (end < begin) return fail(`its bytes end at ${end}, before they begin at ${begin}`)
  if (end > dataBytes) {
    return fail(`its bytes end at ${end}, but the file holds ${dataBytes} after its header; is it cut short?`)
  }
  const bytes = tensorBytes(dtype, shape)
  const what = `${dtype} of shape [${shape.slice(0, 16).join(", ")}${shape.length > 16 ? ", ..." : ""}]`
  if (bytes === undefined) return fail(`${what} takes more than 2^53 - 1 bytes`)
  if (bytes !== end - begin) return fail(`${what} takes ${bytes} bytes, data_offsets give it ${end - begin}`)
  return { name, dtype, shape, begin, end }
}

/** The text, or undefined when the bytes are not UTF-8. A byte order mark is kept, for the parser to refuse. */
export const decodeUtf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** What comes before the data, and where each tensor's bytes go. */
export interface Layout<T extends TensorSpec> {
  /** Length field and JSON, padded with spaces to a multiple of 8. */
  readonly prefix: Uint8Array
  /** In the order of their bytes. */
  readonly placed: ReadonlyArray<{ readonly tensor: T; readonly byteLength: number }>
}

/**
 * Lays tensors out in the order given, larger elements first: so every tensor is aligned to its elements without holes, which the format forbids.
 * What it returns passes `parseHeader`. Throws SafetensorsInvalid.
 */
export const layoutOf = <T extends TensorSpec>(
  tensors: ReadonlyArray<T>,
  metadata: Readonly<Record<string, string>>,
  file: string
): Layout<T> => {
  const placed: Array<{ readonly tensor: T; readonly byteLength: number }> = []
  const fields = Object.keys(metadata).length === 0 ? [] : [`"__metadata__":${JSON.stringify(metadata)}`]
  let begin = 0
  for (const tensor of [...tensors].sort((a, b) => elementBytes(b.dtype) - elementBytes(a.dtype))) {
    const { name, dtype, shape } = tensor
    const byteLength = tensorBytes(dtype, shape)
    if (byteLength === undefined || !Number.isSafeInteger(begin + byteLength)) {
      throw new SafetensorsInvalid({
        file,
        tensor: name,
        reason: `shape [${shape.join(", ")}] is not of whole numbers, or the file would pass 2^53 - 1 bytes`
      })
    }
    fields.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, begin + byteLength] })}`
    )
    placed.push({ tensor, byteLength })
    begin += byteLength
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`)
  const length = Math.ceil(json.byteLength / 8) * 8
  if (length > maxHeaderBytes) {
    throw new SafetensorsInvalid({ file, reason: `the header would take ${length} bytes, more than ${maxHeaderBytes}` })
  }
  const prefix = new Uint8Array(8 + length).fill(0x20)
  new DataView(prefix.buffer).setBigUint64(0, BigInt(length), true)
  prefix.set(json, 8)
  // The reader is the judge: duplicate or reserved names, impossible shapes and unspeakable strings are refused here, before any byte is written.
  parseHeader(prefix.subarray(8), begin, file)
  return { prefix, placed }
}
