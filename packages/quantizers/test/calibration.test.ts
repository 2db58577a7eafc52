/** Calibration text: documents of a file, and blocks of tokens out of them (docs/method.md, "Clipping search"). */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import { calibrationBlocks, documentsOf } from "../src/index.ts"
import { raisedBy } from "./support/raisedBy.ts"

describe("documents", () => {
  it("are the lines of a JSONL file: strings, texts, conversations", () => {
    const content = [
      '"a string"',
      "",
      '{"text": "a\\ntext", "meta": {"set": "pile"}}\r',
      '{"conversations": [{"from": "human", "value": "why?"}, {"from": "gpt", "value": "so."}], "image": "x.png"}'
    ].join("\n")
    assert.deepEqual(documentsOf("all.jsonl", content, "jsonl"), ["a string", "a\ntext", "why?\nso."])
  })

  it("are the paragraphs of a text", () => {
    assert.deepEqual(documentsOf("book.txt", "one\ntwo\n\nthree\r\n \r\nfour", "text"), ["one\ntwo", "three", "four"])
  })

  it.each([
    { line: "{", reason: "JSON" },
    { line: '{"body": "x", "id": 3}', reason: "found an object with body, id" },
    { line: '{"conversations": [{"from": "human"}]}', reason: 'expected a string, or an object with "text"' },
    { line: "[1]", reason: "found [1]" },
    { line: "null", reason: "found null" }
  ])("that are none are refused with their line: $line", ({ line, reason }) => {
    const { _tag, message } = raisedBy(() => documentsOf("all.jsonl", `"ok"\n\n${line}`, "jsonl"))
    assert.strictEqual(_tag, "CalibrationInvalid")
    assert.include(message, "all.jsonl, line 3: ")
    assert.include(message, reason)
  })
})

describe("blocks", () => {
  /** A token a character. */
  const encode = (text: string) => Array.from(text, (character) => character.codePointAt(0)!)
  const blocks = (documents: readonly string[], options: Parameters<typeof calibrationBlocks>[3]) =>
    calibrationBlocks("all.jsonl", documents, encode, options).map((block) => String.fromCodePoint(...block))

  it("are the stripped documents in the seed's order, joined and cut; the remainder is dropped", () => {
    const documents = ["  aaa ", "\nbbbb\t", "cc", "   ", "", "ddddd"]
    const cut = blocks(documents, { seed: 1, block: 4, longest: 5 })
    assert.lengthOf(cut, 3)
    const joined = cut.join("")
    const orders = (["aaa", "bbbb", "cc", "ddddd"] as const).map((document) => joined.indexOf(document[0]!))
    assert.isTrue(joined.length === 12 && orders.filter((at) => at >= 0).length >= 3)
    for (const run of joined.match(/(.)\1*/g)!.slice(0, -1)) assert.include(["aaa", "bbbb", "cc", "ddddd"], run)
  })

  it("are the same for a seed and others for another", () => {
    const documents = Array.from({ length: 60 }, (_, i) => String.fromCodePoint(0x4e00 + i).repeat(3))
    const of = (seed: number) => blocks(documents, { seed, block: 30 })
    assert.deepEqual(of(5), of(5))
    assert.notDeepEqual(of(5), of(6))
  })

  it("pass over long documents and stop after the number that is wanted", () => {
    const documents = [...Array.from({ length: 20 }, () => "x".repeat(6)), ...Array.from({ length: 20 }, () => "yyyyy")]
    const cut = blocks(documents, { seed: 2, block: 5, longest: 5, documents: 7 })
    assert.deepEqual(
      cut,
      Array.from({ length: 7 }, () => "yyyyy")
    )
  })

  it("have the paper's sizes where nothing else is said", () => {
    const documents = Array.from({ length: 400 }, (_, i) => "z".repeat(i % 2 === 0 ? 512 : 513))
    const cut = calibrationBlocks("pile", documents, encode)
    assert.lengthOf(cut, (128 * 512) / 1024)
    assert.isTrue(cut.every(({ length }) => length === 1024))
  })

  it("hold every token of the chosen documents but the remainder", () => {
    const documents = fc.array(fc.stringMatching(/^[a-z]{0,9}$/), { minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(documents, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 0, max: 99 }), (texts, block, seed) => {
        const total = texts.reduce((sum, { length }) => sum + length, 0)
        fc.pre(total >= block)
        const cut = blocks(texts, { seed, block, documents: 100 })
        assert.lengthOf(cut, Math.floor(total / block))
        const left = Array.from(texts.join("")).sort()
        for (const character of cut.join("")) left.splice(left.indexOf(character), 1)
        assert.lengthOf(left, total % block)
      }),
      { seed: 53 }
    )
  })

  it.each([
    { what: "no documents", documents: [], tokens: 0 },
    { what: "empty ones", documents: ["", "  "], tokens: 0 },
    { what: "only long ones", documents: ["x".repeat(513)], tokens: 0 },
    { what: "too little", documents: ["x".repeat(500)], tokens: 500 }
  ])("are refused for $what", ({ documents, tokens }) => {
    const { _tag, message } = raisedBy(() => calibrationBlocks("all.jsonl", documents, encode))
    assert.strictEqual(_tag, "CalibrationEmpty")
    assert.include(message, `all.jsonl gives ${tokens} tokens of calibration data, but 1024 are needed`)
  })
})
