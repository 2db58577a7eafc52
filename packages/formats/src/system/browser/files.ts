/**
 * Files of a page by the functions that Node has for them, as far as models are read by them. Ranges are read at once, which browsers
 * allow in workers alone.
 */
import { type BlobLike, blobAt, blobsIn } from "./BlobFiles.ts"

declare class FileReaderSync {
  readAsArrayBuffer(blob: BlobLike): ArrayBuffer
}

/** What the system says of a file, with Node's codes. */
class SystemError extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** What is known of a file. */
class Stats {
  readonly size: number
  readonly kind: "file" | "directory"
  constructor(kind: "file" | "directory", size: number) {
    this.kind = kind
    this.size = size
  }
  isFile(): boolean {
    return this.kind === "file"
  }
  isDirectory(): boolean {
    return this.kind === "directory"
  }
  isFIFO(): boolean {
    return false
  }
  isSocket(): boolean {
    return false
  }
}

const absent = (path: string) => new SystemError("ENOENT", `there is no file ${path}`)

const required = (path: string): BlobLike => {
  const blob = blobAt(path)
  if (blob === undefined) throw absent(path)
  return blob
}

/** A file that was changed or taken away since it was given cannot be read any more. */
const unreadable = (error: unknown) =>
  new SystemError("EIO", `${String(error)}; was the file changed or moved since it was chosen?`)

const readRange = (blob: BlobLike, start: number, end: number): Uint8Array => {
  try {
    return new Uint8Array(new FileReaderSync().readAsArrayBuffer(blob.slice(start, end)))
  } catch (error) {
    throw unreadable(error)
  }
}

export const existsSync = (path: string): boolean => blobAt(path) !== undefined || blobsIn(path).length > 0

export const statSync = (path: string): Stats => {
  const blob = blobAt(path)
  if (blob !== undefined) return new Stats("file", blob.size)
  if (blobsIn(path).length > 0) return new Stats("directory", 0)
  throw absent(path)
}

const descriptors: (BlobLike | undefined)[] = []

export const openSync = (path: string, _flags: "r"): number => descriptors.push(required(path)) - 1

const opened = (descriptor: number): BlobLike => {
  const blob = descriptors[descriptor]
  if (blob === undefined) throw new SystemError("EBADF", "the file is closed")
  return blob
}

export const fstatSync = (descriptor: number): Stats => new Stats("file", opened(descriptor).size)

export const readSync = (
  descriptor: number,
  target: Uint8Array,
  offset: number,
  length: number,
  position: number
): number => {
  const read = readRange(opened(descriptor), position, position + length)
  target.set(read, offset)
  return read.length
}

export const closeSync = (descriptor: number): void => {
  descriptors[descriptor] = undefined
}

export const readFileSync = (path: string): Uint8Array => {
  const blob = required(path)
  return readRange(blob, 0, blob.size)
}

export const readFile = async (path: string): Promise<Uint8Array> => {
  const blob = required(path)
  try {
    return new Uint8Array(await blob.arrayBuffer())
  } catch (error) {
    throw unreadable(error)
  }
}

export const stat = async (path: string): Promise<Stats> => statSync(path)

export const readdir = async (directory: string): Promise<string[]> => {
  if (!existsSync(directory)) throw absent(directory)
  return [...blobsIn(directory)]
}

/** The bytes of a file, piece by piece. */
export async function* createReadStream(
  path: string,
  { highWaterMark }: { readonly highWaterMark: number }
): AsyncGenerator<Uint8Array> {
  const blob = required(path)
  for (let start = 0; start < blob.size; start += highWaterMark) {
    yield readRange(blob, start, Math.min(blob.size, start + highWaterMark))
  }
}

export const open = async (path: string, flags: "r") => {
  const descriptor = openSync(path, flags)
  let position = 0
  return {
    read: async (block: Uint8Array) => {
      const bytesRead = readSync(descriptor, block, 0, block.length, position)
      position += bytesRead
      return { bytesRead }
    },
    close: async () => closeSync(descriptor)
  }
}
