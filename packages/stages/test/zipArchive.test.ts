/** Entries of a PyTorch archive are read by ranges, whatever their size, and no claim of an archive about itself is believed. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { crc32 } from "node:zlib"
import { afterAll, assert, describe, it } from "vitest"
import { TorchFileInvalid } from "../src/torch/TorchFileInvalid.ts"
import { openZip } from "../src/torch/zipArchive.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-zip-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const tail = Buffer.from("tail")

const checksumOf = (zeros: number): number => crc32(Buffer.concat([Buffer.alloc(zeros), tail]))

/** An archive of one stored entry: zeros, which take no room on the disk, and the tail. The directory may claim another size. */
const archive = ({ zeros, claimed = zeros + tail.length }: { readonly zeros: number; readonly claimed?: number }) => {
  const facts = Buffer.alloc(20)
  facts.writeUInt32LE(checksumOf(zeros), 8)
  facts.writeUInt32LE(claimed, 12)
  facts.writeUInt32LE(claimed, 16)
  const lengths = Buffer.from([1, 0, 0, 0])
  const local = Buffer.concat([Buffer.from("PK\x03\x04\x14\0", "latin1"), facts, lengths, Buffer.from("a")])
  const entry = Buffer.concat([
    Buffer.from("PK\x01\x02\x14\0\x14\0", "latin1"),
    facts,
    Buffer.from([1, 0]),
    Buffer.alloc(16),
    Buffer.from("a")
  ])
  const start = local.length + zeros + tail.length
  const end = Buffer.alloc(22)
  end.write("PK\x05\x06", 0, "latin1")
  end.writeUInt16LE(1, 8)
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(entry.length, 12)
  end.writeUInt32LE(start, 16)
  const file = join(root, `${zeros}-${claimed}.pt`)
  const descriptor = openSync(file, "w")
  writeSync(descriptor, local, 0, local.length, 0)
  ftruncateSync(descriptor, start - tail.length)
  writeSync(
    descriptor,
    Buffer.concat([tail, entry, end]),
    0,
    tail.length + entry.length + end.length,
    start - tail.length
  )
  closeSync(descriptor)
  return file
}

const refusal = (
  file: string,
  read: (entry: NonNullable<ReturnType<ReturnType<typeof openZip>["entries"]["get"]>>) => unknown
) => {
  const { entries, close } = openZip(file)
  try {
    read(entries.get("a")!)
  } catch (error) {
    assert.instanceOf(error, TorchFileInvalid)
    return error.message
  } finally {
    close()
  }
  return assert.fail("it was read")
}

describe("openZip", () => {
  it("reads parts of an entry that is checked in several pieces", () => {
    // One call of the system reads 2 GiB at most; here a piece is 64 MiB.
    const zeros = 2 ** 26 + 10
    const { entries, close } = openZip(archive({ zeros }))
    const entry = entries.get("a")!
    assert.strictEqual(entry.bytes, zeros + 4)
    assert.strictEqual(Buffer.from(entry.read(zeros - 1)).toString(), "\0tail")
    assert.deepStrictEqual([...entry.read(5, 8)], [0, 0, 0])
    close()
  })

  it("checks all of an entry, whichever part is read", () => {
    const file = archive({ zeros: 1000 })
    const descriptor = openSync(file, "r+")
    writeSync(descriptor, "x", 500)
    closeSync(descriptor)
    assert.match(
      refusal(file, (entry) => entry.read(0, 4)),
      /the content of a is damaged/
    )
  })

  it("refuses an entry that claims more than the archive has, without memory for it", () => {
    const file = archive({ zeros: 1000, claimed: 4_000_000_000 })
    assert.match(
      refusal(file, (entry) => entry.read()),
      /the entry a of 4000000000 bytes is cut off/
    )
  })
})
