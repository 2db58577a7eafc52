/** One artefact of the reference's save_fake_quant: a torch pickle or a safetensors file with the same entries. */
import { closeSync, openSync, readSync } from "node:fs"
import {
  bytesOf,
  checkOutsideSync,
  countNonFinite,
  decodeFloats,
  isFloatDType,
  largestMagnitude,
  Safetensors,
  TensorNotFinite,
  typedView
} from "@speedq/formats"
import type { Shape } from "@speedq/tensors"
import { openTorchFile } from "../torch/TorchFile.ts"
import { TorchFileInvalid } from "../torch/TorchFileInvalid.ts"

/** Numbers of one entry, row-major. */
export interface DetailTensor {
  readonly shape: Shape
  readonly dtype: string
  readonly read: () => ArrayLike<number>
}

export interface DetailFile {
  readonly path: string
  readonly tensors: ReadonlyMap<string, DetailTensor>
  /** Of safetensors files: what their header says besides. */
  readonly metadata?: Readonly<Record<string, string>>
  readonly close: () => void
}

/** Zip archives begin so. */
const zipMagic = "PK\u0003\u0004"

const beginsWith = (path: string, text: string): boolean => {
  checkOutsideSync(path, "open")
  const descriptor = openSync(path, "r")
  try {
    const start = Buffer.alloc(text.length)
    return readSync(descriptor, start, 0, text.length, 0) === text.length && start.toString("latin1") === text
  } finally {
    closeSync(descriptor)
  }
}

const openSafetensors = (path: string): DetailFile => {
  const store = Safetensors.openSync(path)
  const tensors = [...store.tensors].map(([name, { dtype, shape }]) => {
    const read = (): ArrayLike<number> => {
      const bytes = store.read(name)
      if (isFloatDType(dtype)) return decodeFloats(dtype, bytes)
      if (dtype === "I8" || dtype === "U8" || dtype === "I32") return typedView(dtype, bytes)
      throw new TorchFileInvalid({ file: path, reason: `its entry ${name} is of ${dtype}` })
    }
    return [name, { shape, dtype, read }] as const
  })
  return { path, tensors: new Map(tensors), metadata: store.metadata, close: () => store.close() }
}

/** Whether a file is one of torch.save, by its first bytes. Throws the errors of node:fs. */
export const isTorchFile = (path: string): boolean => beginsWith(path, zipMagic)

/** Opens a file by what it is, whatever its name. Throws TorchFileInvalid, SafetensorsInvalid, FileFailed and the errors of node:fs. */
const openDetailFile = (path: string): DetailFile => (isTorchFile(path) ? openTorchFile(path) : openSafetensors(path))

/** Numbers of one entry in f32. Raises TensorNotFinite, with what `read` raises. */
export const readFinite = ({ path }: DetailFile, name: string, { shape, read }: DetailTensor): Float32Array => {
  const values = new Float32Array(read())
  if (Number.isFinite(largestMagnitude("F32", bytesOf(values)))) return values
  const found = countNonFinite(shape, [values])!
  throw new TensorNotFinite({ file: path, tensor: name, elements: values.length, ...found })
}

/** Opens a file for as long as `body` runs. */
export const using = <A>(path: string, body: (file: DetailFile) => A): A => {
  const file = openDetailFile(path)
  try {
    return body(file)
  } finally {
    file.close()
  }
}
