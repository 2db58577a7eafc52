/** Bytes of ONNX files: those that the reference's own writer makes, written piece by piece. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { externalData } from "../../src/onnx/protobuf/externalData.ts"
import { lengthOf, type Message, messageField } from "../../src/onnx/protobuf/Message.ts"
import { type Initializer, modelProto } from "../../src/onnx/protobuf/onnxMessages.ts"
import { writeMessage } from "../../src/onnx/writeMessage.ts"
import { temporary } from "../support/models.ts"

const files = temporary("onnx-messages")
afterAll(files.remove)

/** Writes a message and gives its bytes. */
const written = async (message: Message) => {
  const file = join(files.directory, "message")
  await Effect.runPromise(writeMessage(file, message))
  return readFileSync(file)
}

/** What the package onnx 1.23.1 of Python writes for the graph below (`SerializeToString(deterministic=True)`). */
const golden =
  "080a12067370656564713ad1010a180a0177120274312204436173742a090a02746f1801a001020a680a01780a0274310a000a0162120179220b4d61744d" +
  "756c4e426974732a080a014b1810a001022a110a07657073696c6f6e150000003fa001012a0f0a046d6f646522044c454654a001032a0d0a047065726d40" +
  "014000a001073a0d636f6d2e6d6963726f736f6674120474696e792a0f08010802100a4201774a04003c00c02a0810024201624a01075a1d0a0178121" +
  "80a16080112120a07120574696c65730a0208030a0308ac02620b0a017912060a040807120042040a00101542110a0d636f6d2e6d6963726f736f66741001"

const late = (bytes: Uint8Array, made: () => void = () => {}) => ({
  byteLength: bytes.length,
  make: async () => {
    made()
    return bytes
  }
})

describe("an ONNX file", () => {
  it("has the bytes that the reference's writer makes", async () => {
    const message = modelProto({
      name: "tiny",
      nodes: [
        { type: "Cast", domain: "", inputs: ["w"], outputs: ["t1"], attributes: { to: 1 } },
        {
          type: "MatMulNBits",
          domain: "com.microsoft",
          inputs: ["x", "t1", "", "b"],
          outputs: ["y"],
          attributes: { K: 16, epsilon: { float: 0.5 }, mode: "LEFT", perm: [1, 0] }
        }
      ],
      initializers: [
        { name: "w", type: "f16", shape: [1, 2], bytes: late(new Uint8Array(Uint16Array.of(0x3c00, 0xc000).buffer)) },
        { name: "b", type: "u8", shape: [], bytes: Uint8Array.of(7) }
      ],
      inputs: [{ name: "x", type: "f32", shape: ["tiles", 3, 300] }],
      outputs: [{ name: "y", type: "i64", shape: [] }]
    })
    assert.strictEqual((await written(message)).toString("hex"), golden)
  })

  it("is written with one large piece in memory at a time", async () => {
    const events: string[] = []
    const piece = (name: string) => late(new TextEncoder().encode(name), () => events.push(name))
    const message = messageField(1, [piece("first"), Uint8Array.of(0), piece("second")])
    assert.isEmpty(events)
    const bytes = await written(message)
    assert.deepStrictEqual(events, ["first", "second"])
    assert.strictEqual(bytes.toString("latin1"), "\n\x0cfirst\0second")
  })

  it("fails where a piece is not as long as its message says", async () => {
    const wrong = { byteLength: 3, make: async () => new Uint8Array(2) }
    const refused = await Effect.runPromise(Effect.flip(writeMessage(join(files.directory, "wrong"), [wrong])))
    assert.strictEqual(refused.message, "2 bytes were made, 3 were stated")
  })

  it("has weights in files beside it, at pages, a large one in its own", async () => {
    const weight = (name: string, size: number): Initializer => ({
      ...{ name, type: "u8", shape: [size] },
      bytes: late(new Uint8Array(size).fill(name.charCodeAt(0)))
    })
    const small: Initializer = { name: "s", type: "u8", shape: [1], bytes: Uint8Array.of(1) }
    const initializers = [weight("a", 5000), small, weight("b", 3000), weight("c", 20_000), weight("d", 10)]
    const { places, files } = externalData("g.onnx", initializers, 12_000)
    assert.deepStrictEqual(
      [...places],
      [
        ["a", { location: "g.onnx_data", offset: 0 }],
        ["b", { location: "g.onnx_data", offset: 8192 }],
        ["c", { location: "g.onnx_data_1", offset: 0 }],
        ["d", { location: "g.onnx_data_2", offset: 0 }]
      ]
    )
    const first = await written(files[0]!.bytes)
    assert.lengthOf(first, 8192 + 3000)
    assert.deepStrictEqual([first[4999], first[5000], first[8191], first[8192]], [97, 0, 0, 98])
    assert.deepStrictEqual(
      files.map(({ name, bytes }) => [name, lengthOf(bytes)]),
      [
        ["g.onnx_data", 11_192],
        ["g.onnx_data_1", 20_000],
        ["g.onnx_data_2", 10]
      ]
    )
  })
})
