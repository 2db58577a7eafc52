/** Inputs made to take all memory or all time: small files that promise, nest, repeat or unpack to something huge. */
import { crc32, deflateRawSync, deflateSync, constants as zlib } from "node:zlib"

export interface Bomb {
  readonly name: string
  /** Whose reader gets it, and in which file; the other files are those of the target's first sample. */
  readonly target: string
  readonly file: string
  readonly make: () => Uint8Array
}

const text = (content: string): Uint8Array => Buffer.from(content, "latin1")

/** Values nested a million deep. */
const nested = (target: string, file: string): readonly Bomb[] => [
  { name: "lists in lists", target, file, make: () => text("[".repeat(1_000_000)) },
  { name: "objects in objects", target, file, make: () => text(`${'{"a":'.repeat(300_000)}0${"}".repeat(300_000)}`) }
]

const bigEndian = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
const littleEndian = (...values: readonly number[]): Buffer =>
  Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.alloc(4)
      bytes.writeUInt32LE(value)
      return bytes
    })
  )

const pngChunk = (name: string, data: Uint8Array): Buffer => {
  const body = Buffer.concat([Buffer.from(name), data])
  return Buffer.concat([bigEndian(data.length), body, bigEndian(crc32(body))])
}

/** A grey PNG of this size, whose pixels are so many zeros. */
const png = (width: number, height: number, zeros: number): Uint8Array =>
  Buffer.concat([
    text("\x89PNG\r\n\x1a\n"),
    pngChunk("IHDR", Buffer.concat([bigEndian(width), bigEndian(height), Uint8Array.of(8, 0, 0, 0, 0)])),
    pngChunk("IDAT", deflateSync(new Uint8Array(zeros))),
    pngChunk("IEND", new Uint8Array(0))
  ])

const gif = (): Uint8Array =>
  Buffer.concat([
    text("GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff"),
    text("\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0\x3b")
  ])

const bmp = (): Uint8Array =>
  Buffer.concat([
    text("BM"),
    littleEndian(54, 0, 54, 40, 0x7fffffff, 0x7fffffff),
    text("\x01\0\x18\0"),
    new Uint8Array(24)
  ])

/** Zeros as deflate packs them, a thousandth of their length, without ever being in memory as a whole. */
const packedZeros = (megabytes: number, filler = 0x20): Uint8Array => {
  const block = deflateRawSync(Buffer.alloc(2 ** 24, filler), { level: 9, finishFlush: zlib.Z_FULL_FLUSH })
  return Buffer.concat([...Array.from({ length: Math.ceil(megabytes / 16) }, () => block), text("\x03\0")])
}

/** An entry of an archive: what is in it, how long that says to be unpacked, and its checksum. */
interface Entry {
  readonly name: string
  readonly content: Uint8Array
  readonly bytes: number
  readonly checksum: number
  readonly isPacked: boolean
}

/** A zip archive. */
const zip = (entries: readonly Entry[]): Uint8Array => {
  const [files, directory]: [Buffer[], Buffer[]] = [[], []]
  let at = 0
  for (const { name, content, bytes, checksum, isPacked } of entries) {
    const path = Buffer.from(name)
    const facts = Buffer.concat([
      text(`\x14\0\0\0${isPacked ? "\x08" : "\0"}\0\0\0\0\0`),
      littleEndian(checksum, content.length, bytes)
    ])
    const lengths = Buffer.from([path.length, 0, 0, 0])
    const head = Buffer.concat([text("PK\x03\x04"), facts, lengths, path])
    files.push(head, Buffer.from(content))
    directory.push(
      Buffer.concat([text("PK\x01\x02\x14\0"), facts, lengths, new Uint8Array(10), littleEndian(at), path])
    )
    at += head.length + content.length
  }
  const listed = Buffer.concat(directory)
  const count = entries.length
  const end = Buffer.concat([
    text("PK\x05\x06\0\0\0\0"),
    Buffer.from([count, 0, count, 0]),
    littleEndian(listed.length, at),
    text("\0\0")
  ])
  return Buffer.concat([...files, listed, end])
}

const entry = (name: string, content: Uint8Array, isPacked: boolean): Entry => ({
  ...{ name, isPacked, content: isPacked ? deflateRawSync(content) : content },
  ...{ bytes: content.length, checksum: crc32(content) }
})

/** An entry that unpacks to so many megabytes of spaces. Its checksum is not theirs: it is to be refused long before. */
const swelling = (name: string, megabytes: number): Entry => ({
  ...{ name, isPacked: true, content: packedZeros(megabytes) },
  ...{ bytes: megabytes * 2 ** 20, checksum: 0 }
})

/** A workbook of one sheet that unpacks to this many megabytes of spaces. */
const workbook = (megabytes: number): Uint8Array => {
  const part = (name: string, content: string) => entry(name, text(content), true)
  const types = "http://schemas.openxmlformats.org"
  return zip([
    part(
      "[Content_Types].xml",
      `<?xml version="1.0"?><Types xmlns="${types}/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/></Types>`
    ),
    part(
      "_rels/.rels",
      `<Relationships xmlns="${types}/package/2006/relationships"><Relationship Id="r1" Type="${types}/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`
    ),
    part(
      "xl/workbook.xml",
      `<workbook xmlns="${types}/spreadsheetml/2006/main" xmlns:r="${types}/officeDocument/2006/relationships"><sheets><sheet name="s" sheetId="1" r:id="r1"/></sheets></workbook>`
    ),
    part(
      "xl/_rels/workbook.xml.rels",
      `<Relationships xmlns="${types}/package/2006/relationships"><Relationship Id="r1" Type="${types}/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`
    ),
    swelling("xl/worksheets/sheet1.xml", megabytes)
  ])
}

/** A Zstandard frame of blocks that say one byte again and again: 128 KiB in four bytes. */
const zstandard = (megabytes: number): Uint8Array => {
  const blocks = megabytes * 8
  const block = (last: boolean) => {
    const header = ((2 ** 17) << 3) | (1 << 1) | (last ? 1 : 0)
    return Uint8Array.of(header & 255, (header >> 8) & 255, (header >> 16) & 255, 0x20)
  }
  return Buffer.concat([
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 0x58),
    ...Array.from({ length: blocks }, (_, at) => block(at === blocks - 1))
  ])
}

/** A Zstandard frame of blocks that hold nothing, with a window of this power of two. */
const idle = (exponent: number, blocks: number): Uint8Array =>
  Buffer.concat([
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, (exponent - 10) << 3),
    Buffer.alloc(3 * blocks),
    Uint8Array.of(1, 0, 0)
  ])

/** A pickle of lists that hold the one before ten times: ten to the power of their number. */
const laughing = (): Uint8Array => {
  const levels = Array.from(
    { length: 30 },
    (_, at) => `(${`h${String.fromCharCode(at)}`.repeat(10)}tq${String.fromCharCode(at + 1)}`
  )
  return text(`\x80\x02]q\0${levels.join("")}.`)
}

const safetensorsHeader = (length: bigint, header: string): Uint8Array => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(length)
  return Buffer.concat([bytes, text(header)])
}

const single: readonly Bomb[] = [
  {
    name: "a header of 2^63 bytes",
    target: "safetensors",
    file: "model.safetensors",
    make: () => safetensorsHeader(2n ** 63n, "{}")
  },
  {
    name: "a shape whose product wraps",
    target: "safetensors",
    file: "model.safetensors",
    make: () => {
      const header = '{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'
      return safetensorsHeader(BigInt(header.length), header)
    }
  },
  {
    name: "a hundred thousand tensors of nothing",
    target: "safetensors",
    file: "model.safetensors",
    make: () => {
      const entries = Array.from(
        { length: 100_000 },
        (_, at) => `"${at}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}`
      )
      const header = `{${entries.join(",")}}`
      return safetensorsHeader(BigInt(header.length), header)
    }
  },
  {
    name: "a pickle that unpacks to 10^30 lists",
    target: "torch",
    file: "weights.pt",
    make: () => zip([entry("x/data.pkl", laughing(), false)])
  },
  {
    name: "a list of half a million values",
    target: "torch",
    file: "weights.pt",
    make: () => zip([entry("x/data.pkl", text(`\x80\x02](${"N".repeat(500_000)}e.`), false)])
  },
  {
    name: "an entry that unpacks to 4 GiB",
    target: "torch",
    file: "weights.pt",
    make: () => zip([swelling("x/data.pkl", 4080)])
  },
  { name: "a sheet that unpacks to 2 GiB", target: "xlsx", file: "predictions.xlsx", make: () => workbook(2032) },
  { name: "an archive that unpacks to 2 GiB", target: "zstandard", file: "lines.zst", make: () => zstandard(2048) },
  { name: "a window of 1 GiB", target: "zstandard", file: "lines.zst", make: () => idle(30, 100) },
  { name: "a million empty blocks", target: "zstandard", file: "lines.zst", make: () => idle(27, 1_000_000) },
  { name: "a PNG of 65535 x 65535", target: "picture", file: "huge.png", make: () => png(65_535, 65_535, 1000) },
  {
    name: "a PNG that unpacks to more than it has pixels",
    target: "picture",
    file: "long.png",
    make: () => png(10, 10, 2 ** 27)
  },
  { name: "a GIF of 65535 x 65535", target: "picture", file: "huge.gif", make: gif },
  { name: "a BMP of 2^31 x 2^31", target: "picture", file: "huge.bmp", make: bmp },
  {
    name: "one cell of 100 MB",
    target: "table",
    file: "questions.tsv",
    make: () => text(`index\tquestion\tanswer\tcategory\timage\n${"x".repeat(100_000_000)}`)
  },
  {
    name: "five thousand empty lines",
    target: "records",
    file: "records.jsonl",
    make: () => text("\n".repeat(5000))
  },
  {
    name: "two hundred thousand rows",
    target: "predictions",
    file: "table.tsv",
    make: () => text(`index\tprediction\n${"1\tx\n".repeat(200_000)}`)
  },
  {
    name: "a number of ten million digits",
    target: "predictions",
    file: "records.json",
    make: () => text(`[{"index":${"9".repeat(10_000_000)},"prediction":"x"}]`)
  },
  {
    name: "a hundred thousand lines of nothing",
    target: "journal",
    file: "journal.jsonl",
    make: () => text("{}\n".repeat(100_000))
  },
  {
    name: "two hundred thousand stages",
    target: "recipe",
    file: "recipe.json",
    make: () => text(`{"version":1,"name":"x","model":"m","stages":[${'{"use":"qat"},'.repeat(200_000)}{"use":"qat"}]}`)
  },
  {
    name: "a hundred thousand events",
    target: "run",
    file: "events.jsonl",
    make: () => text('{"at":"2026-01-01T00:00:00Z","event":"x","data":{}}\n'.repeat(100_000))
  },
  { name: "a vocabulary to 2^31", target: "vocabulary", file: "vocab.json", make: () => text('{"a":2147483647}') },
  {
    name: "a word of ten million letters",
    target: "sentencepiece",
    file: "tokenizer.model",
    make: () => text(`\x0a\x86\xad\xe2\x04\x0a\x80\xad\xe2\x04${"a".repeat(10_000_000)}`)
  }
]

export const bombs: readonly Bomb[] = [
  ...nested("config", "config.json"),
  ...nested("preprocessor", "preprocessor_config.json"),
  ...nested("shards", "model.safetensors.index.json"),
  ...nested("tokenizer.json", "tokenizer.json"),
  ...nested("meta", "datasets.json"),
  ...nested("records", "records.jsonl"),
  ...nested("predictions", "records.json"),
  ...nested("recipe", "recipe.json"),
  ...nested("run", "run.json"),
  ...nested("run", "events.jsonl"),
  ...nested("manifest", "manifest.json"),
  ...nested("journal", "journal.jsonl"),
  ...single
]
