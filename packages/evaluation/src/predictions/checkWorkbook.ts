/**
 * What a workbook unpacks to, before it is read. Its library keeps all of it in memory, with an object for every cell; two megabytes
 * can unpack to gigabytes.
 */
import { Readable } from "node:stream"
import { createInflateRaw } from "node:zlib"
import { type ZipRecord, type ZipSource, zipContentAt, zipRecords } from "@speedq/formats"

/** Tables of 100,000 long answers have less. */
const mostBytes = 2 ** 28
/** Of XML, about four a cell: five million cells. */
const mostTags = 20_000_000

const lessThan = "<".charCodeAt(0)

const sourceOf = (bytes: Uint8Array): ZipSource => ({
  size: bytes.length,
  readAt: (position, length) => Buffer.from(bytes.buffer, bytes.byteOffset + position, length),
  fail: (reason) => {
    throw new SyntaxError(reason)
  }
})

/** The content of an entry in pieces. Where it ends, what is deflated says itself. */
const piecesOf = (bytes: Uint8Array, source: ZipSource, record: ZipRecord): AsyncIterable<Uint8Array> => {
  const start = zipContentAt(source, record)
  if (record.method === "stored") return Readable.from([bytes.subarray(start, start + record.storedBytes)])
  if (record.method === "other") return source.fail(`the entry ${record.name} is compressed in a way that is not read`)
  const inflate = createInflateRaw()
  inflate.end(bytes.subarray(start))
  return inflate
}

const tagsIn = (piece: Uint8Array): number => {
  let tags = 0
  for (let at = piece.indexOf(lessThan); at >= 0; at = piece.indexOf(lessThan, at + 1)) tags++
  return tags
}

/** Rejects with a SyntaxError, or what zlib says, unless the workbook is a zip archive of a size that can be read. */
export const checkWorkbook = async (bytes: Uint8Array): Promise<void> => {
  const source = sourceOf(bytes)
  let [unpacked, tags] = [0, 0]
  for (const record of zipRecords(source)) {
    for await (const piece of piecesOf(bytes, source, record)) {
      unpacked += piece.length
      tags += tagsIn(piece)
      if (unpacked > mostBytes)
        source.fail(`it unpacks to more than the ${mostBytes} bytes that are read of a workbook`)
      if (tags > mostTags) source.fail(`it has more than the ${mostTags} tags that are read of a workbook`)
    }
  }
}
