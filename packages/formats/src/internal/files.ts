/** Synchronous file access whose failures are typed. */
import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs"
import { FileFailed, SafetensorsInvalid } from "../Errors.ts"

// One read system call returns at most 2 GiB less a page; whole MiB keep the following ones aligned.
const maxReadBytes = 2 ** 31 - 2 ** 20

/** What the system said, as a typed failure. Anything that is no system error is thrown on: it is a defect. */
export const fileFailed = (file: string, operation: string, error: unknown): FileFailed => {
  if (!(error instanceof Error) || !("code" in error)) throw error
  return new FileFailed({ file, operation, code: String(error.code), reason: error.message })
}

/** Runs a system call on `file`. Throws FileFailed. */
export const attemptFile = <A>(file: string, operation: string, call: () => A): A => {
  try {
    return call()
  } catch (error) {
    throw fileFailed(file, operation, error)
  }
}

/** An open regular file and its size. */
export interface OpenFile {
  readonly path: string
  readonly descriptor: number
  readonly bytes: number
}

/** Opens a regular file for reading. Anything else is refused first: opening a pipe would wait for ever. Throws FileFailed. */
export const openFile = (path: string): OpenFile => {
  if (!attemptFile(path, "open", () => statSync(path)).isFile()) {
    throw new FileFailed({ file: path, operation: "open", code: "EINVAL", reason: "it is not a regular file" })
  }
  const descriptor = attemptFile(path, "open", () => openSync(path, "r"))
  return { path, descriptor, bytes: attemptFile(path, "open", () => fstatSync(descriptor)).size }
}

/** Closes an open file. */
export const closeFile = (file: OpenFile): void => closeSync(file.descriptor)

/** Fills `target` with the file's bytes from `position`, in as few calls as the system allows. Throws FileFailed, SafetensorsInvalid. */
export const readFully = (file: OpenFile, target: Uint8Array, position: number, tensor?: string): void => {
  for (let done = 0; done < target.byteLength; ) {
    // A subarray, because node refuses a plain offset and length past 2^31 - 1.
    const piece = target.subarray(done, done + maxReadBytes)
    const at = position + done
    const got = attemptFile(file.path, "read", () => readSync(file.descriptor, piece, 0, piece.byteLength, at))
    if (got === 0) {
      const reason = `the file ends at ${at}, it had ${file.bytes} bytes when it was opened; something cut it since`
      throw new SafetensorsInvalid({ file: file.path, ...(tensor === undefined ? {} : { tensor }), reason })
    }
    done += got
  }
}
