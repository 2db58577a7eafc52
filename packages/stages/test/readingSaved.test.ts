/** What an error in reading a saved value means: only what was read and is wrong is damage. */
import { FileFailed, SafetensorsInvalid } from "@speedq/formats"
import { SavedFileDamaged, StorageFailed } from "@speedq/pipeline"
import { BackendUnavailable, DeviceLost, OutOfMemory, TensorTooLarge } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { readingSaved } from "../src/artefacts/readingSaved.ts"
import { ComputeFailed } from "../src/compute/computing.ts"

const file = "stages/04-qat/step-00000008.safetensors"
const raised = (error: Error) =>
  Effect.runSync(
    Effect.flip(
      readingSaved(file, () => {
        throw error
      })
    )
  )
const failed = (code: string) => new FileFailed({ file, operation: "read", code, reason: `${code}: refused` })

describe("reading what was saved", () => {
  it("takes a file that is gone or wrong for damaged", () => {
    for (const error of [
      failed("ENOENT"),
      new SafetensorsInvalid({ file, reason: "cut" }),
      new Error("no such tensor")
    ])
      assert.instanceOf(raised(error), SavedFileDamaged)
  })

  it("takes neither a refusal of the system nor a lack of memory for damage", () => {
    for (const code of ["EACCES", "EIO", "EMFILE"]) assert.instanceOf(raised(failed(code)), StorageFailed)
    assert.instanceOf(raised(new OutOfMemory("native", 4096, 0, 1024)), ComputeFailed)
  })

  it("takes what is wrong with the backend for none, either: a device that is gone, a tensor that it does not bind", () => {
    for (const error of [
      new DeviceLost("gpujs:webgpu", "reset"),
      new TensorTooLarge("gpujs:webgpu", [2, 2], 16, 8),
      new BackendUnavailable("gpujs:webgpu", "it was closed")
    ])
      assert.instanceOf(raised(error), ComputeFailed)
  })
})
