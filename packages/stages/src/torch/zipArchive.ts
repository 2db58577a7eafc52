/** The zip archive that torch.save writes: entries stored without compression, read by ranges, so that their size does not matter. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { crc32 } from "node:zlib"
import { checkOutsideSync, notZip, type ZipRecord, type ZipSource, zipContentAt, zipRecords } from "@speedq/formats"
import { TorchFileInvalid } from "./TorchFileInvalid.ts"

/** A file inside the archive. */
interface ZipEntry {
  readonly name: string
  readonly bytes: number
  /**
   * The bytes from `begin` to `end` of the content, all of them by default. The first reading goes through all of the content, and
   * checks it against its CRC-32. Throws TorchFileInvalid.
   */
  readonly read: (begin?: number, end?: number) => Uint8Array
}

interface ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>
  readonly close: () => void
}

/** Read at once: one call of the system gives 2 GiB at most. */
const pieceBytes = 2 ** 26

/** Opens an archive. Throws TorchFileInvalid, FileFailed, and the errors of node:fs. */
export const openZip = (file: string): ZipArchive => {
  checkOutsideSync(file, "open")
  const descriptor = openSync(file, "r")
  const fail = (reason: string): never => {
    const hint = reason === notZip ? "; only files of torch.save since PyTorch 1.6 can be read" : ""
    throw new TorchFileInvalid({ file, reason: reason + hint })
  }
  const fill = (target: Uint8Array, position: number): void => {
    for (let done = 0; done < target.length; ) {
      const piece = target.subarray(done, done + pieceBytes)
      const read = readSync(descriptor, piece, 0, piece.length, position + done)
      if (read === 0) fail(`it ends at byte ${position + done}, where ${target.length - done} more were expected`)
      done += read
    }
  }
  const source: ZipSource = {
    size: fstatSync(descriptor).size,
    readAt: (position, length) => {
      const target = Buffer.alloc(length)
      fill(target, position)
      return target
    },
    fail
  }

  const checkContent = ({ name, bytes, checksum }: ZipRecord, start: number): void => {
    const piece = new Uint8Array(Math.min(bytes, pieceBytes))
    let sum = 0
    for (let at = 0; at < bytes; at += pieceBytes) {
      const part = piece.subarray(0, Math.min(pieceBytes, bytes - at))
      fill(part, start + at)
      sum = crc32(part, sum)
    }
    if (sum !== checksum) fail(`the content of ${name} is damaged: its checksum does not fit`)
  }

  const entryOf = (record: ZipRecord): ZipEntry => {
    const { name, bytes } = record
    let start: number | undefined
    const read = (begin = 0, end = bytes): Uint8Array => {
      if (start === undefined) {
        const found = zipContentAt(source, record)
        if (found + bytes > source.size) fail(`the entry ${name} of ${bytes} bytes is cut off`)
        checkContent(record, found)
        start = found
      }
      const target = allocated(end - begin) ?? fail(`there is no memory for ${end - begin} bytes of its entry ${name}`)
      fill(target, start + begin)
      return target
    }
    return { name, bytes, read }
  }

  try {
    const records = zipRecords(source)
    const other = records.find(({ method }) => method !== "stored")
    if (other !== undefined) fail(`the entry ${other.name} is compressed, which torch.save never does`)
    const entries = new Map(records.map((record) => [record.name, entryOf(record)]))
    return { entries, close: () => closeSync(descriptor) }
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
}

const allocated = (bytes: number): Uint8Array | undefined => {
  try {
    return new Uint8Array(bytes)
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
