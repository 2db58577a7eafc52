/** The page's words for an error are about the processor that raised it. */
import { BackendUnavailable, DeviceLost, KernelFailure } from "@speedq/tensors"
import { assert, it } from "vitest"
import { plainWords } from "../src/page/problems.ts"

const told = (error: Error & { readonly _tag: string }) => ({ tag: error._tag, message: error.message })

it("a kernel that fails, or a backend that does not start, is told of by what computes", () => {
  for (const error of [new KernelFailure("matmul", "unreachable"), new BackendUnavailable("native", "it was closed")]) {
    assert.match(plainWords(told(error), "graphics", "en"), /^The graphics processor/)
    assert.notMatch(plainWords(told(error), "processor", "en"), /graphics|SIMD/)
    assert.notMatch(plainWords(told(error), "processor", "zh"), /图形|SIMD/)
  }
  assert.match(plainWords(told(new DeviceLost("gpujs:webgpu", "")), "processor", "en"), /^The graphics processor/)
})
