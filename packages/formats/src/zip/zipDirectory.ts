/**
 * The directory at the end of a zip archive: what its entries are called, where they lie, how large they are.
 * (PKWARE APPNOTE 6.3: end record, zip64 end record, central directory, local headers.)
 */

/** Where an archive is read from. */
export interface ZipSource {
  /** Bytes of the whole archive. */
  readonly size: number
  /** Bytes that lie in the archive. */
  readonly readAt: (position: number, length: number) => Buffer
  /** Throws an error that names the archive. */
  readonly fail: (reason: string) => never
}

/** An entry as the directory describes it. What it says of sizes is a claim. */
export interface ZipRecord {
  readonly name: string
  readonly method: "stored" | "deflated" | "other"
  /** CRC-32 of the content. */
  readonly checksum: number
  /** Bytes of the content, and of what is stored of it. */
  readonly bytes: number
  readonly storedBytes: number
  /** Of its local header. */
  readonly offset: number
}

const endSignature = 0x06054b50
const zip64LocatorSignature = 0x07064b50
const zip64EndSignature = 0x06064b50
const recordSignature = 0x02014b50
const localSignature = 0x04034b50
const endBytes = 22
/** An end record, and the longest comment that may follow it. */
const tailBytes = endBytes + 0xffff
const full16 = 0xffff
const full32 = 0xffffffff
const zip64Extra = 1
const recordBytes = 46
const localBytes = 30
/** What `fail` is told of a file that is no archive. */
export const notZip = "it is not a zip archive"
/** Of the directory: half a million entries. */
const mostBytes = 2 ** 26

/** A 64-bit number; archives beyond 2^53 bytes do not exist. */
const wide = (buffer: Buffer, at: number): number => Number(buffer.readBigUInt64LE(at))

const within = ({ size, readAt, fail }: ZipSource, position: number, length: number, what: string): Buffer =>
  position + length <= size ? readAt(position, length) : fail(`${what} lies behind its end, at byte ${size}`)

interface Directory {
  readonly count: number
  readonly start: number
  readonly length: number
}

const locate = (source: ZipSource): Directory => {
  const { size, readAt, fail } = source
  const tail = readAt(Math.max(0, size - tailBytes), Math.min(size, tailBytes))
  let at = tail.length - endBytes
  while (at >= 0 && tail.readUInt32LE(at) !== endSignature) at--
  if (at < 0) return fail(notZip)
  const [count, length, start] = [tail.readUInt16LE(at + 10), tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)]
  if (count !== full16 && length !== full32 && start !== full32) return { count, start, length }
  const locator = at - 20
  if (locator < 0 || tail.readUInt32LE(locator) !== zip64LocatorSignature) return fail("its zip64 record is missing")
  const record = within(source, wide(tail, locator + 8), 56, "its zip64 record")
  if (record.readUInt32LE(0) !== zip64EndSignature) return fail("its zip64 record is damaged")
  return { count: wide(record, 32), length: wide(record, 40), start: wide(record, 48) }
}

/** Sizes and offset of an entry, from its zip64 field where they do not fit 32 bits. */
const extentsOf = (record: Buffer, extra: Buffer, name: string, fail: ZipSource["fail"]) => {
  const extents = {
    bytes: record.readUInt32LE(24),
    storedBytes: record.readUInt32LE(20),
    offset: record.readUInt32LE(42)
  }
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== zip64Extra) continue
    let next = at + 4
    for (const field of ["bytes", "storedBytes", "offset"] as const) {
      if (extents[field] !== full32) continue
      if (next + 8 > extra.length) return fail(`the sizes of the entry ${name} are damaged`)
      extents[field] = wide(extra, next)
      next += 8
    }
  }
  return extents
}

const methods: { readonly [method: number]: ZipRecord["method"] } = { 0: "stored", 8: "deflated" }

/** All entries, in the directory's order. */
export const zipRecords = (source: ZipSource): ReadonlyArray<ZipRecord> => {
  const { fail } = source
  const { count, start, length } = locate(source)
  if (length > mostBytes)
    return fail(`its directory has ${length} bytes, more than the ${mostBytes} that are read of one`)
  const directory = within(source, start, length, "its directory")
  const records: Array<ZipRecord> = []
  let at = 0
  for (let number = 0; number < count; number++) {
    if (at + recordBytes > directory.length || directory.readUInt32LE(at) !== recordSignature) {
      return fail(`its directory is damaged at entry ${number + 1} of ${count}`)
    }
    const record = directory.subarray(at, at + recordBytes)
    const nameEnd = at + recordBytes + record.readUInt16LE(28)
    const extraEnd = nameEnd + record.readUInt16LE(30)
    const name = directory.toString("utf8", at + recordBytes, nameEnd)
    records.push({
      name,
      method: methods[record.readUInt16LE(10)] ?? "other",
      checksum: record.readUInt32LE(16),
      ...extentsOf(record, directory.subarray(nameEnd, extraEnd), name, fail)
    })
    at = extraEnd + record.readUInt16LE(32)
  }
  return records
}

/** Where what is stored of an entry begins. */
export const zipContentAt = (source: ZipSource, { name, offset }: ZipRecord): number => {
  const local = within(source, offset, localBytes, `the entry ${name}`)
  if (local.readUInt32LE(0) !== localSignature) {
    return source.fail(`the entry ${name} is not where the directory says`)
  }
  return offset + localBytes + local.readUInt16LE(26) + local.readUInt16LE(28)
}
