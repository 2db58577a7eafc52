/** Lines are cut where they end, whatever pieces they come in, and one that does not end is refused before it fills the memory. */
import { assert, describe, it } from "vitest"
import { FileFailed, linesOf, textOf } from "../src/index.ts"

async function* pieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const linesIn = async (text: string, size: number, most?: number): Promise<string[]> => {
  const lines: string[] = []
  for await (const line of linesOf("a.jsonl", pieces(text, size), most)) lines.push(line)
  return lines
}

describe("linesOf", () => {
  it("gives the same lines for pieces of any size", async () => {
    const text = "\ufeffone\r\n\nthree é 中\nlast"
    for (let size = 1; size < 12; size++) {
      assert.deepEqual(await linesIn(text, size), ["one", "", "three é 中", "last"])
    }
    assert.deepEqual(await linesIn("one\n", 3), ["one", ""])
  })

  it("refuses a line that is too long with its number, before it has come to its end", async () => {
    let given = 0
    async function* endless() {
      for (;;) {
        given++
        yield Buffer.from(given === 1 ? "one\n" : "x".repeat(10))
      }
    }
    const read = async () => {
      for await (const _ of linesOf("a.jsonl", endless(), 100));
    }
    const error = await read().catch((thrown: unknown) => thrown)
    assert.instanceOf(error, FileFailed)
    assert.strictEqual(error.message, "a.jsonl: cannot read: line 2 has more than the 100 bytes that are read")
    assert.strictEqual(given, 12)
  })
})

describe("textOf", () => {
  it("gives all text, or refuses what is larger", async () => {
    assert.strictEqual(await textOf("a.txt", pieces("é 中", 2), 6), "é 中")
    const error = await textOf("a.txt", pieces("1234567", 2), 6).catch((thrown: unknown) => thrown)
    assert.instanceOf(error, FileFailed)
    assert.strictEqual(error.code, "ERR_OVER_LIMIT")
  })
})
