/** A workbook that unpacks to more than can be held is refused while it is unpacked, whatever it says of its sizes. */
import { deflateRawSync } from "node:zlib"
import { writeXlsx } from "hucre/xlsx"
import { assert, describe, it } from "vitest"
import { checkWorkbook } from "../src/predictions/checkWorkbook.ts"

/** A zip archive of one deflated entry that claims to be empty. */
const archive = (content: Buffer): Buffer => {
  const deflated = deflateRawSync(content, { level: 1 })
  const head = Buffer.alloc(31, "a")
  head.fill(0, 0, 30)
  head.write("PK\x03\x04", 0, "latin1")
  head.writeUInt16LE(1, 26)
  const record = Buffer.alloc(46)
  record.write("PK\x01\x02", 0, "latin1")
  record.writeUInt16LE(8, 10)
  record.writeUInt32LE(deflated.length, 20)
  record.writeUInt16LE(1, 28)
  const end = Buffer.alloc(22)
  end.write("PK\x05\x06", 0, "latin1")
  end.writeUInt16LE(1, 10)
  end.writeUInt32LE(record.length + 1, 12)
  end.writeUInt32LE(head.length + deflated.length, 16)
  return Buffer.concat([head, deflated, record, Buffer.from("a"), end])
}

const refusal = async (bytes: Uint8Array): Promise<string> => {
  try {
    await checkWorkbook(bytes)
  } catch (error) {
    return (error as Error).message
  }
  return assert.fail("it was taken")
}

describe("checkWorkbook", () => {
  it("takes a workbook", async () => {
    await checkWorkbook(await writeXlsx({ sheets: [{ name: "a", rows: [["index"], [1]] }] }))
  })

  it("refuses one that unpacks to gigabytes, or to cells without end", async () => {
    const large = archive(Buffer.alloc(2 ** 28 + 1))
    assert.isBelow(large.length, 2e6)
    assert.match(await refusal(large), /unpacks to more than the 268435456 bytes that are read/)
    assert.match(await refusal(archive(Buffer.alloc(20_000_001, "<"))), /more than the 20000000 tags/)
  })

  it("refuses what is no archive, or damaged", async () => {
    assert.strictEqual(await refusal(Buffer.from("no zip")), "it is not a zip archive")
    const whole = archive(Buffer.from("<a/>"))
    await refusal(whole.subarray(10))
    whole.fill(0xff, 31, 34)
    await refusal(whole)
  })
})
