/** An open file, read at any place without effects. */
import { closeSync, fstatSync, openSync, readSync } from "#system/files"
import { SafetensorsInvalid } from "../Errors.ts"
import { checkOutsideSync } from "../files/outsideFile.ts"
import { attemptFile } from "./attempt.ts"

// One read system call returns at most 2 GiB less a page; whole MiB keep the following ones aligned.
const maxReadBytes = 2 ** 31 - 2 ** 20

/** An open regular file and its size. */
export interface OpenFile {
  readonly path: string
  readonly descriptor: number
  readonly bytes: number
}

/** Opens a regular file for reading. Throws FileFailed. */
export const openFile = (path: string): OpenFile => {
  checkOutsideSync(path, "open")
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
