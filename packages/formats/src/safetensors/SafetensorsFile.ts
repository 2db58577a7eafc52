/** One safetensors file, opened: its header checked, its tensors read by ranges. */
import { ReadRefused, SafetensorsInvalid, TensorMissing, TensorNotFinite } from "../Errors.ts"
import { closeFile, type OpenFile, openFile, readFully } from "../internal/files.ts"
import { type Header, maxHeaderBytes, parseHeader } from "../internal/header.ts"
import { elementBytes } from "../numbers/DType.ts"
import { decodeFloats, type FloatDType, isFloatDType } from "../numbers/floats.ts"
import { countNonFinite, readFloats } from "../numbers/magnitude.ts"
import { mostAlike, type Range, type TensorInfo, type TensorStore } from "./TensorStore.ts"

/** Opens a safetensors file and checks its whole header. Throws FileFailed, SafetensorsInvalid. */
export const openFileSync = (path: string): TensorStore => {
  const file = openFile(path)
  try {
    return new SafetensorsFile(file)
  } catch (error) {
    closeFile(file)
    throw error
  }
}

/** A range of a tensor, in bytes from the tensor's beginning. */
interface Found {
  readonly info: TensorInfo
  readonly begin: number
  readonly end: number
}

class SafetensorsFile implements TensorStore {
  readonly path: string
  readonly metadata: Readonly<Record<string, string>>
  readonly tensors: ReadonlyMap<string, TensorInfo>
  readonly #file: OpenFile
  #open = true

  constructor(file: OpenFile) {
    const { header, dataOffset } = readHeader(file)
    this.path = file.path
    this.metadata = header.metadata
    this.tensors = new Map(
      header.entries.map(({ name, dtype, shape, begin, end }) => [
        name,
        { dtype, shape, byteOffset: dataOffset + begin, byteLength: end - begin }
      ])
    )
    this.#file = file
  }

  read(name: string, range?: Range): Uint8Array {
    const { info, begin, end } = this.#find(name, range)
    const target = allocate(end - begin)
    if (target === undefined) throw this.#refuse(name, `no memory for ${end - begin} bytes at once; read it by ranges`)
    readFully(this.#file, target, info.byteOffset + begin, name)
    return target
  }

  readInto(name: string, target: Uint8Array, range?: Range): void {
    const { info, begin } = this.#findFor(name, target, range)
    readFully(this.#file, target, info.byteOffset + begin, name)
  }

  readFiniteInto(name: string, target: Uint8Array, range?: Range): void {
    const { info, begin, end } = this.#findFor(name, target, range)
    const { dtype, byteOffset } = info
    const read = (piece: Uint8Array, offset: number) => readFully(this.#file, piece, byteOffset + begin + offset, name)
    if (!isFloatDType(dtype)) read(target, 0)
    else if (begin % elementBytes(dtype) !== 0 || end % elementBytes(dtype) !== 0) {
      throw this.#refuse(name, `bytes [${begin}, ${end}) are not whole numbers of ${dtype}`)
    } else if (!readFloats(dtype, target, read)) throw this.#notFinite(name, info, dtype)
  }

  close(): void {
    // Only once: the system may have given the descriptor to another file since.
    if (this.#open) closeFile(this.#file)
    this.#open = false
  }

  #find(name: string, range: Range | undefined): Found {
    const info = this.tensors.get(name)
    if (info === undefined) {
      throw new TensorMissing({ file: this.path, tensor: name, candidates: mostAlike(name, this.tensors.keys()) })
    }
    if (!this.#open) throw this.#refuse(name, "the file is closed")
    if (range === undefined) return { info, begin: 0, end: info.byteLength }
    const inRows = "rows" in range
    const [begin, end] = inRows ? range.rows : range.bytes
    const limit = inRows ? info.shape[0] : info.byteLength
    if (limit === undefined) throw this.#refuse(name, "it is a scalar and has no rows")
    if (!Number.isInteger(begin) || !Number.isInteger(end) || begin < 0 || begin > end || end > limit) {
      const unit = inRows ? "rows" : "bytes"
      throw this.#refuse(name, `${unit} [${begin}, ${end}) are not within its ${limit} ${unit}`)
    }
    const unit = inRows && limit > 0 ? info.byteLength / limit : 1
    return { info, begin: begin * unit, end: end * unit }
  }

  /** Where a read of this range goes in the file; `target` must be of its size. */
  #findFor(name: string, target: Uint8Array, range: Range | undefined): Found {
    const found = this.#find(name, range)
    const length = found.end - found.begin
    if (target.byteLength === length) return found
    throw this.#refuse(name, `the target holds ${target.byteLength} bytes, the range ${length}`)
  }

  /** Counts over the whole tensor, whatever part of it was read. */
  #notFinite(tensor: string, { shape, byteLength }: TensorInfo, dtype: FloatDType): TensorNotFinite {
    const found = countNonFinite(shape, this.#parts(tensor, dtype, byteLength))!
    return new TensorNotFinite({ file: this.path, tensor, elements: byteLength / elementBytes(dtype), ...found })
  }

  *#parts(name: string, dtype: FloatDType, length: number): Iterable<Float32Array> {
    const step = 2 ** 20
    for (let begin = 0; begin < length; begin += step) {
      yield decodeFloats(dtype, this.read(name, { bytes: [begin, Math.min(length, begin + step)] }))
    }
  }

  #refuse(tensor: string, reason: string): ReadRefused {
    return new ReadRefused({ file: this.path, tensor, reason })
  }
}

const readHeader = (file: OpenFile): { readonly header: Header; readonly dataOffset: number } => {
  const fail = (reason: string): never => {
    throw new SafetensorsInvalid({ file: file.path, reason })
  }
  if (file.bytes < 8) fail(`${file.bytes} bytes are too few for a safetensors file; is it cut short?`)
  const field = new Uint8Array(8)
  readFully(file, field, 0)
  const length = new DataView(field.buffer).getBigUint64(0, true)
  if (length > maxHeaderBytes) {
    fail(`it declares a header of ${length} bytes, more than the ${maxHeaderBytes} allowed; is it a safetensors file?`)
  }
  const dataOffset = 8 + Number(length)
  if (dataOffset > file.bytes) fail(`its header ends at ${dataOffset}, the file at ${file.bytes}; is it cut short?`)
  const json = new Uint8Array(Number(length))
  readFully(file, json, 8)
  return { header: parseHeader(json, file.bytes - dataOffset, file.path), dataOffset }
}

// undefined where the engine cannot: a tensor may be larger than one typed array or than memory.
const allocate = (bytes: number): Uint8Array | undefined => {
  try {
    return new Uint8Array(bytes)
  } catch {
    return undefined
  }
}
