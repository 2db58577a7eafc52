/**
 * Where the weights of a graph lie that is too large for one file: in files beside it, FILE_data, FILE_data_1 and so on, as transformers.js
 * asks for them. Each begins at a multiple of a page, so that onnxruntime can map it.
 */
import { type Bytes, isLate, type LateBytes } from "./Message.ts"
import type { ExternalPlace, Initializer } from "./onnxMessages.ts"

export interface DataFile {
  readonly name: string
  /** Bytes that follow each other. */
  readonly bytes: readonly Bytes[]
}

interface ExternalData {
  /** By the names of initializers. */
  readonly places: ReadonlyMap<string, ExternalPlace>
  readonly files: readonly DataFile[]
}

export const noExternalData: ExternalData = { places: new Map(), files: [] }

const page = 4096
const nextPage = (offset: number): number => Math.ceil(offset / page) * page

/** Places all weights of a graph in files of at most `mostBytes`, a larger weight in one of its own. */
export const externalData = (
  graphName: string,
  initializers: readonly Initializer[],
  mostBytes: number
): ExternalData => {
  const places = new Map<string, ExternalPlace>()
  const files: { readonly name: string; readonly bytes: Bytes[] }[] = []
  let end = Number.POSITIVE_INFINITY
  const place = (name: string, bytes: LateBytes): void => {
    const offset = nextPage(end)
    if (offset + bytes.byteLength > mostBytes) {
      const number = files.length === 0 ? "" : `_${files.length}`
      files.push({ name: `${graphName}_data${number}`, bytes: [bytes] })
      places.set(name, { location: files.at(-1)!.name, offset: 0 })
      end = bytes.byteLength
      return
    }
    const file = files.at(-1)!
    file.bytes.push(new Uint8Array(offset - end), bytes)
    places.set(name, { location: file.name, offset })
    end = offset + bytes.byteLength
  }
  for (const { name, bytes } of initializers) if (isLate(bytes)) place(name, bytes)
  return { places, files }
}
