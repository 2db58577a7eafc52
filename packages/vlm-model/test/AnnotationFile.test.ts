import { truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { DatasetInvalid, openAnnotations, readDatasetMeta } from "../src/index.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const root = temporaryDirectory()
let made = 0
const fileOf = (content: string | Uint8Array): string => {
  const file = join(root, `${made++}.jsonl`)
  writeFileSync(file, content)
  return file
}
const record = (value: string) => JSON.stringify({ conversations: [{ from: "human", value }], id: 7 })

describe("openAnnotations", () => {
  it.effect("reads any line, in any order, with or without a last newline", () =>
    Effect.gen(function* () {
      const values = Array.from({ length: 3000 }, (_, i) => `${i} ${"é".repeat(i % 70)}`)
      for (const [ending, last] of [
        ["\n", ""],
        ["\n", "\n"],
        ["\r\n", "\r\n"]
      ] as const) {
        const file = yield* openAnnotations(fileOf(values.map(record).join(ending) + last))
        assert.strictEqual(file.lines, 3000)
        for (const line of [2999, 0, 1500, 1, 2998, 1023, 1024]) {
          assert.deepEqual((yield* file.read(line)).conversations, [{ from: "human", value: values[line]! }])
        }
      }
      assert.strictEqual((yield* openAnnotations(fileOf(""))).lines, 0)
      assert.strictEqual((yield* openAnnotations(fileOf("\n"))).lines, 1)
    })
  )

  it.effect("finds lines across the pieces it reads", () =>
    Effect.gen(function* () {
      // Lines of 1 MiB and a bit: newlines fall on both sides of the 4 MiB pieces.
      const values = Array.from({ length: 9 }, (_, i) => String(i).repeat(2 ** 20 + i))
      const file = yield* openAnnotations(fileOf(values.map(record).join("\n")))
      assert.strictEqual(file.lines, 9)
      for (const [line, value] of values.entries()) {
        assert.strictEqual((yield* file.read(line)).conversations[0].value, value)
      }
    })
  )

  it.effect("refuses a line, and a number of lines, that would fill the memory", () =>
    Effect.gen(function* () {
      const path = fileOf(`${record("fine")}\n`)
      truncateSync(path, 2 ** 40)
      const file = yield* openAnnotations(path, { starts: new Float64Array(new SharedArrayBuffer(24)) })
      file.starts.set([0, Buffer.byteLength(record("fine")) + 1, 2 ** 40])
      assert.strictEqual((yield* file.read(0)).conversations[0].value, "fine")
      const error = yield* Effect.flip(file.read(1))
      assert.match(error.message, /:2: the line has \d+ bytes, more than the 67108864 that are read of one/)
      const lines = yield* Effect.flip(openAnnotations(fileOf(Buffer.alloc(2 ** 25 + 1, "\n"))))
      assert.match(lines.message, /it has more than the 33554432 lines that are read/)
    })
  )

  it.effect("names file and line of a malformed record", () =>
    Effect.gen(function* () {
      const turn = `{"from":"human","value":"a"}`
      const cases: ReadonlyArray<readonly [string | Uint8Array, RegExp]> = [
        ["{", /not JSON/],
        ["", /not JSON/],
        ["[]", /Expected/],
        [Uint8Array.of(0xff, 0xfe), /not JSON/],
        [`{"conversations":[]}`, /conversations/],
        [`{"conversations":[{"from":"bot","value":"a"}]}`, /from/],
        [`{"conversations":[{"from":"human"}]}`, /value/],
        [`{"conversations":[${turn}],"image":[1]}`, /image/],
        [`{"conversations":[${turn}],"video":"v","clip":[1]}`, /clip/],
        [`{"conversations":[${turn}],"images":[1]}`, /images/],
        [`{"image":"a.png"}`, /neither "conversations" nor "messages"/],
        [
          `{"conversations":[${turn}],"messages":[{"role":"user","content":"a"}]}`,
          /both "conversations" and "messages"/
        ],
        [`{"messages":[{"role":"tool","content":"a"}]}`, /role/],
        [`{"messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}`, /content/],
        [`{"messages":[{"role":"assistant","content":"a","loss":false}]}`, /loss/]
      ]
      for (const [bad, message] of cases) {
        const content = Buffer.concat([Buffer.from(`${record("fine")}\n`), Buffer.from(bad), Buffer.from("\n")])
        const path = fileOf(content)
        const file = yield* openAnnotations(path)
        const error = yield* Effect.flip(file.read(1))
        assert.instanceOf(error, DatasetInvalid)
        assert.isTrue(error.message.startsWith(`${path}:2: `), error.message)
        assert.match(error.message, message)
        assert.strictEqual((yield* file.read(0)).conversations[0].value, "fine")
      }
    })
  )

  it.effect("reads the messages and lists of other trainers", () =>
    Effect.gen(function* () {
      const messages = [
        { role: "system", content: "Be brief." },
        { role: "user", content: "<image>What?" },
        { role: "assistant", content: "Noise.", loss: true }
      ]
      const file = yield* openAnnotations(fileOf(JSON.stringify({ messages, images: ["a.png"], videos: null })))
      assert.deepEqual(yield* file.read(0), {
        conversations: [
          { from: "system", value: "Be brief." },
          { from: "human", value: "<image>What?" },
          { from: "gpt", value: "Noise." }
        ],
        images: ["a.png"],
        videos: null,
        unreadByReference: 'the record has no "conversations", and the reference reads no "messages"'
      })
    })
  )

  it.effect("reads files that are written as objects or null, and refuses bytes by the name of their key", () =>
    Effect.gen(function* () {
      const conversations = [{ from: "human" as const, value: "What?" }] as const
      const read = (shown: object) =>
        Effect.scoped(
          Effect.flatMap(openAnnotations(fileOf(JSON.stringify({ ...shown, conversations }))), (file) => file.read(0))
        )
      assert.deepEqual(yield* read({ image: null }), {
        image: null,
        conversations,
        unreadByReference: '"image" is null, which the reference fails on'
      })
      assert.deepInclude(yield* read({ images: [{ path: "a.png", bytes: null }, "b.png"] }), {
        images: ["a.png", "b.png"]
      })
      assert.deepInclude(yield* read({ videos: [{ path: "a.gif" }], video: null }), { videos: ["a.gif"], video: null })
      const objects = yield* read({ image: { path: "a.png" }, video: { path: "" } })
      assert.deepInclude(objects, { image: "a.png", video: "" })
      assert.match(objects.unreadByReference ?? "", /the reference reads paths/)
      const refused = (shown: object) => Effect.map(Effect.flip(read(shown)), ({ message }) => message)
      const bytes = { bytes: "iVBORw0KGgo=", path: "a.png" }
      assert.match(yield* refused({ images: [bytes] }), /:1: "images" holds the bytes of a file; write them to a file/)
      assert.match(yield* refused({ image: bytes }), /:1: "image" holds the bytes/)
      assert.match(yield* refused({ videos: [{ bytes: null }] }), /:1: an entry of "videos" has no "path"/)
    })
  )

  it.effect("notices a file that was cut since", () =>
    Effect.gen(function* () {
      const path = fileOf(`${record("one")}\n${record("two")}\n`)
      const file = yield* openAnnotations(path)
      truncateSync(path, 60)
      assert.match((yield* Effect.flip(file.read(1))).message, /:2: the file was cut at byte 60/)
      assert.match((yield* Effect.flip(openAnnotations(join(root, "none.jsonl")))).message, /none\.jsonl/)
    })
  )
})

describe("readDatasetMeta", () => {
  const meta = (content: unknown): string => fileOf(JSON.stringify(content))
  const entry = { root: "images", annotation: "a.jsonl", data_augment: false, repeat_time: 1, length: 12 }

  it.effect("keeps the order of the file and resolves paths", () =>
    Effect.gen(function* () {
      const apple = { ...entry, root: "/abs", repeat_time: 3, max_dynamic_patch: 4 }
      const file = meta({ zebra: entry, apple })
      assert.deepEqual(yield* readDatasetMeta(file, "/data"), [
        {
          name: "zebra",
          root: "/data/images",
          annotation: "/data/a.jsonl",
          dataAugment: false,
          repeatTime: 1,
          maxTiles: undefined,
          length: 12,
          entry
        },
        {
          name: "apple",
          root: "/abs",
          annotation: "/data/a.jsonl",
          dataAugment: false,
          repeatTime: 3,
          maxTiles: 4,
          length: 12,
          entry: apple
        }
      ])
    })
  )

  it.effect("takes a byte order mark for no part of the text", () =>
    Effect.gen(function* () {
      const [dataset] = yield* readDatasetMeta(fileOf(`\ufeff${JSON.stringify({ a: entry })}`))
      assert.strictEqual(dataset?.name, "a")
      const annotations = yield* openAnnotations(fileOf(`\ufeff${record("first")}\n${record("second")}`))
      assert.strictEqual((yield* annotations.read(0)).conversations[0].value, "first")
    })
  )

  it.effect("refuses what breaks the format, with data set and key and what to do", () =>
    Effect.gen(function* () {
      const text = JSON.stringify({ a: entry }, null, 2)
      const cases: ReadonlyArray<readonly [string, RegExp]> = [
        [JSON.stringify([entry]), /: it is a list; the meta file is one object that names data sets: \{"name"/],
        ["null", /: it is null; the meta file/],
        [JSON.stringify({ a: { ...entry, annotation: "a.json" } }), /data set "a": .*ends in jsonl/s],
        [JSON.stringify({ a: { ...entry, repeat_time: 1.5 } }), /data set "a": repeat_time: .*whole number/],
        [JSON.stringify({ a: { ...entry, repeat_time: 0 } }), /data set "a": repeat_time: /],
        [JSON.stringify({ a: { annotation: "a.jsonl" } }), /data set "a": root: Missing key; correct that/],
        [
          JSON.stringify({ a: { annotatoin: "a.jsonl", note: 1 } }),
          /data set "a": root: Missing key; annotation: Missing key \(is it meant by annotatoin\?\)/
        ],
        [JSON.stringify({ a: entry, b: { root: "." } }), /data set "b": annotation: Missing key; correct that/],
        [JSON.stringify({ a: "a.jsonl" }), /data set "a": Expected object/],
        [JSON.stringify({ a: entry, 12: entry }), /"12" is a number/],
        [
          text.replace("{\n", "{\n  // the first\n"),
          /not JSON: line 2 has a comment, which JSON does not know; take it out/
        ],
        [text.replace("{\n", "{\n  /* the first */\n"), /line 2 has a comment/],
        [text.replace('"length": 12', '"length": 12,'), /not JSON: line 7 has a comma before a closing bracket/],
        [`{"a": ${JSON.stringify(entry)}, "a": ${JSON.stringify(entry)}}`, /the key "a" appears twice/],
        ['{"a": {"root": ".", "root": "x", "annotation": "a.jsonl"}}', /the key "root" appears twice/],
        [
          `${record("one")}\n${record("two")}\n`,
          /it holds records, one a line: it is an annotation file, not a meta file/
        ],
        [record("one"), /it holds records, one a line/],
        [text.slice(0, -3), /not JSON: /]
      ]
      for (const [content, message] of cases) {
        const file = fileOf(content)
        const error = yield* Effect.flip(readDatasetMeta(file))
        assert.instanceOf(error, DatasetInvalid)
        assert.isTrue(error.message.startsWith(`${file}: `))
        assert.match(error.message, message)
      }
      // A slash, a hash or a comma in a name is none of that.
      const [odd] = yield* readDatasetMeta(meta({ 'a // "b", ]': entry }))
      assert.strictEqual(odd?.name, 'a // "b", ]')
    })
  )
})
