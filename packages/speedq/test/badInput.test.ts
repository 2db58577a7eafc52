/** Bad input of `speedq evaluate`: one message with file and row, exit 1, and earlier answers kept. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { shippedNano } from "../src/shipped/shipped.ts"
import { speedq } from "./support/inProcess.ts"
import { randomNano } from "./support/smallRun.ts"
import { temporaryDirectory } from "./support/speedq.ts"

const shared = { directory: "", model: "" }
beforeAll(async () => {
  shared.directory = mkdtempSync(join(tmpdir(), "speedq-cli-"))
  shared.model = await randomNano(shared.directory)
})
afterAll(() => rmSync(shared.directory, { recursive: true, force: true }))

const picture = readFileSync(join(shippedNano, "images", "0001.png"))
const columns = ["index", "question", "answer", "category", "image"]
const question = (index: number, image: string) => [String(index), "What is it?", "red", "color", image]

/** An 8-bit RGB PNG whose header promises that many pixels. */
const promising = (width: number, height: number): Buffer => {
  const bytes = Buffer.from(picture)
  bytes.writeUInt32BE(width, 16)
  bytes.writeUInt32BE(height, 20)
  // The header's checksum must be right, or the file is merely damaged.
  bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29)
  return bytes
}

const crc32 = (bytes: Uint8Array): number => {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

const evaluate = async (
  rows: readonly (readonly string[])[],
  { model = shared.model, header = columns, more = [] as readonly string[] } = {}
) => {
  const directory = temporaryDirectory()
  const [data, out] = [join(directory, "data.tsv"), join(directory, "out")]
  writeFileSync(data, [header, ...rows].map((cells) => `${cells.join("\t")}\n`).join(""))
  const args = ["evaluate", model, "--data", data, "--benchmark", "nano", "--out", out, "--name", "m"]
  const ended = await speedq([...args, ...more, "--backend", "native:none", "--json"])
  return { ...ended, data, out, journal: join(out, "m_nano.journal.jsonl") }
}

/** The one message; everything else on standard error is progress. */
const messageOf = ({ code, stdout, stderr }: Awaited<ReturnType<typeof speedq>>): string => {
  assert.strictEqual(code, 1, stderr)
  assert.strictEqual(stdout, "")
  const messages = stderr.split("\n").filter((line) => line.startsWith("error: "))
  assert.lengthOf(messages, 1, stderr)
  assert.notMatch(stderr, /\n {4}at /)
  return messages[0]!
}

/** What was answered before the fault is there still. */
const assertKept = (journal: string, index: string) =>
  assert.match(readFileSync(journal, "utf8"), new RegExp(`^\\{"index":"${index}","prediction":`, "m"))

const sound = picture.toString("base64")

describe("speedq evaluate says file and row, exits 1 and keeps what was answered", () => {
  it("without a needed column", async () => {
    const rows = [question(0, sound)].map(([index = "", text = "", , category = "", image = ""]) => [
      ...[index, text, category, image]
    ])
    const ended = await evaluate(rows, { header: ["index", "question", "category", "image"] })
    assert.match(messageOf(ended), /data\.tsv: no column "answer", which nano needs; the file has index, question/)
  })

  it("at an image that does not decode", async () => {
    const broken = Buffer.from("no picture ".repeat(10)).toString("base64")
    const ended = await evaluate([question(0, sound), question(1, broken)])
    assert.match(messageOf(ended), /data\.tsv, row 2 \(index 1\), column "image": image: not an image that can be read/)
    assertKept(ended.journal, "0")
  })

  it("at a base64 bomb: few bytes that promise many pixels, or a cell of many bytes", async () => {
    const bomb = promising(30_000, 30_000).toString("base64")
    const pixels = await evaluate([question(0, sound), question(1, bomb)])
    assert.match(
      messageOf(pixels),
      /data\.tsv, row 2 \(index 1\), column "image": image: 30000 x 30000 pixels are more than 178956970/
    )
    assertKept(pixels.journal, "0")
    const limited = await evaluate([question(0, sound)], { more: ["--max-pixels", "99"] })
    assert.match(messageOf(limited), /data\.tsv, row 1 .*, column "image": image: \d+ x \d+ pixels are more than 99;/)
    const huge = await evaluate([question(0, sound), question(1, "A".repeat(2 ** 26 + 4))])
    assert.match(
      messageOf(huge),
      /data\.tsv, row 2.*, column "image": 67108868 bytes of encoded image, more than the 67108864 allowed/
    )
    assert.isFalse(existsSync(huge.journal))
  })

  it("of a model directory without a tokenizer", async () => {
    const model = join(temporaryDirectory(), "model")
    mkdirSync(model)
    for (const file of readdirSync(shared.model)) {
      if (!/^(tokenizer|vocab|merges|added_tokens)/.test(file))
        copyFileSync(join(shared.model, file), join(model, file))
    }
    const ended = await evaluate([question(0, sound)], { model })
    assert.match(messageOf(ended), /model.*tokenizer\.json/)
  })
})
