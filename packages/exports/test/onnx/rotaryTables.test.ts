/** Rotary tables that a graph makes of two small ones. */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { Graph } from "../../src/onnx/graph/Graph.ts"
import { rotaryTables } from "../../src/onnx/network/rotaryTables.ts"
import { modelProto } from "../../src/onnx/protobuf/onnxMessages.ts"
import { writeMessage } from "../../src/onnx/writeMessage.ts"
import { temporary } from "../support/models.ts"
import { runtime, runtimeFault } from "../support/onnxruntime.ts"

const files = temporary("onnx-rotary")
afterAll(files.remove)

describe.skipIf(runtimeFault !== undefined)(`rotary tables in onnxruntime ${runtimeFault ?? ""}`, () => {
  it("hold every position of a context, and take the room of two short ones", async () => {
    const [base, width, positions] = [1e6, 8, 32768]
    const graph = new Graph()
    const { cos, sin } = rotaryTables(graph, { base, width, positions })
    graph.ops("Identity", [cos], ["cos"])
    graph.ops("Identity", [sin], ["sin"])
    const shape = [positions, width / 2]
    const outputs = ["cos", "sin"].map((name) => ({ name, type: "f32" as const, shape }))
    const file = join(files.directory, "rotary.onnx")
    const { bytes } = await Effect.runPromise(writeMessage(file, modelProto(graph.parts("rotary", [], outputs))))
    assert.isBelow(bytes, (2 * 4 * positions * width) / 2 / 50)
    const session = await runtime().InferenceSession.create(file)
    const tables = await session.run({})
    await session.release()
    for (const [name, of] of [
      ["cos", Math.cos],
      ["sin", Math.sin]
    ] as const) {
      const values = tables[name]!.data as Float32Array
      let largest = 0
      for (let at = 0; at < values.length; at++) {
        const angle = Math.floor(at / 4) * base ** ((-2 * (at % 4)) / width)
        largest = Math.max(largest, Math.abs(values[at]! - of(angle)))
      }
      assert.isBelow(largest, 2e-7, name)
    }
  })
})
