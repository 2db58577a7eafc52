/**
 * The zip archive that torch.save writes: entries stored without compression, found through the directory at its end.
 * (PKWARE APPNOTE 6.3: end record, zip64 end record, central directory, local headers.)
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { crc32 } from "node:zlib"
import { checkOutsideSync } from "@speedq/formats"
import { TorchFileInvalid } from "./TorchFileInvalid.ts"

/** A file inside the archive. */
interface ZipEntry {
  readonly name: string
  readonly bytes: number
  /** The content, checked against its CRC-32. Throws TorchFileInvalid. */
  readonly read: () => Uint8Array
}

interface ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>
  readonly close: () => void
}

const endSignature = 0x06054b50
const zip64LocatorSignature = 0x07064b50
const zip64EndSignature = 0x06064b50
const directorySignature = 0x02014b50
const localSignature = 0x04034b50
const endBytes = 22
/** An end record, and the longest comment that may follow it. */
const tailBytes = endBytes + 0xffff
const full32 = 0xffffffff
const zip64Extra = 1

/** Opens an archive. Throws TorchFileInvalid, and the errors of node:fs. */
export const openZip = (file: string): ZipArchive => {
  checkOutsideSync(file, "open")
  const descriptor = openSync(file, "r")
  const fail = (reason: string): never => {
    throw new TorchFileInvalid({ file, reason })
  }
  const readAt = (position: number, length: number): Buffer => {
    const target = Buffer.alloc(length)
    for (let done = 0; done < length; ) {
      const read = readSync(descriptor, target, done, length - done, position + done)
      if (read === 0) fail(`it ends at byte ${position + done}, where ${length - done} more were expected`)
      done += read
    }
    return target
  }
  /** A 64-bit number of the archive; files beyond 2^53 bytes do not exist. */
  const wide = (buffer: Buffer, at: number): number => Number(buffer.readBigUInt64LE(at))

  const locateDirectory = (
    size: number
  ): { readonly count: number; readonly start: number; readonly length: number } => {
    const tail = readAt(Math.max(0, size - tailBytes), Math.min(size, tailBytes))
    let at = tail.length - endBytes
    while (at >= 0 && tail.readUInt32LE(at) !== endSignature) at--
    if (at < 0) return fail("it is not a zip archive; only files of torch.save since PyTorch 1.6 can be read")
    const [count, length, start] = [tail.readUInt16LE(at + 10), tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)]
    if (count !== 0xffff && length !== full32 && start !== full32) return { count, start, length }
    const locator = at - 20
    if (locator < 0 || tail.readUInt32LE(locator) !== zip64LocatorSignature) return fail("its zip64 record is missing")
    const record = readAt(wide(tail, locator + 8), 56)
    if (record.readUInt32LE(0) !== zip64EndSignature) return fail("its zip64 record is damaged")
    return { count: wide(record, 32), length: wide(record, 40), start: wide(record, 48) }
  }

  /** Sizes and offset of a directory entry, from its zip64 field where they do not fit 32 bits. */
  const extents = (entry: Buffer, extra: Buffer): { readonly bytes: number; readonly offset: number } => {
    const fields = { bytes: entry.readUInt32LE(24), stored: entry.readUInt32LE(20), offset: entry.readUInt32LE(42) }
    for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
      if (extra.readUInt16LE(at) !== zip64Extra) continue
      let next = at + 4
      for (const name of ["bytes", "stored", "offset"] as const) {
        if (fields[name] !== full32) continue
        fields[name] = wide(extra, next)
        next += 8
      }
    }
    return fields
  }

  const entryAt = (name: string, checksum: number, { bytes, offset }: ReturnType<typeof extents>): ZipEntry => ({
    name,
    bytes,
    read: () => {
      const local = readAt(offset, 30)
      if (local.readUInt32LE(0) !== localSignature) fail(`the entry ${name} is not where the directory says`)
      const content = readAt(offset + 30 + local.readUInt16LE(26) + local.readUInt16LE(28), bytes)
      if (crc32(content) !== checksum) fail(`the content of ${name} is damaged: its checksum does not fit`)
      return content
    }
  })

  const readEntries = (): ReadonlyMap<string, ZipEntry> => {
    const { count, start, length } = locateDirectory(fstatSync(descriptor).size)
    const directory = readAt(start, length)
    const entries = new Map<string, ZipEntry>()
    let at = 0
    for (let number = 0; number < count; number++) {
      if (at + 46 > directory.length || directory.readUInt32LE(at) !== directorySignature) {
        return fail(`its directory is damaged at entry ${number + 1} of ${count}`)
      }
      const header = directory.subarray(at, at + 46)
      const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) => header.readUInt16LE(field)) as [
        number,
        number,
        number
      ]
      const name = directory.toString("utf8", at + 46, at + 46 + nameBytes)
      if (header.readUInt16LE(10) !== 0) return fail(`the entry ${name} is compressed, which torch.save never does`)
      const extra = directory.subarray(at + 46 + nameBytes, at + 46 + nameBytes + extraBytes)
      entries.set(name, entryAt(name, header.readUInt32LE(16), extents(header, extra)))
      at += 46 + nameBytes + extraBytes + commentBytes
    }
    return entries
  }

  try {
    return { entries: readEntries(), close: () => closeSync(descriptor) }
  } catch (error) {
    closeSync(descriptor)
    if (error instanceof RangeError) return fail(`a record of it is cut or damaged (${error.message})`)
    throw error
  }
}
