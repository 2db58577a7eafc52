/** Functions as the text that GPU.js reads. */
import { assert, describe, it } from "vitest"
import { functionText, withParameters } from "../../src/backends/gpujs/functionText.ts"
import type { Thread, Values } from "../../src/backends/gpujs/GpujsBody.ts"
import { halfEven } from "../../src/backends/gpujs/numbers.ts"
import { kernels } from "../../src/index.ts"

function nearest(this: Thread, x: Values) {
  return halfEven(x[this.thread.x * this.constants.stride])
}

describe("functionText", () => {
  it("names imported helpers plainly, whatever the test runner makes of imports", () => {
    const text = functionText(nearest)
    assert.match(text, /[^.\w]halfEven\(/)
    assert.notMatch(text, /import/)
  })

  it("finds nothing of the transpiler in any program", () => {
    for (const kernel of kernels) {
      for (const sample of kernel.samples({ nextUniform: () => 0.5, nextNormal: () => 0.5 })) {
        const inputs = Object.fromEntries(Object.entries(sample.inputs).map(([name, { shape }]) => [name, shape]))
        const inferred = kernel.infer(inputs, sample.attributes as object)
        const outputs = Object.fromEntries(kernel.outputs.map((name) => [name, inferred[name]!.shape]))
        for (const { compute, helpers = [] } of kernel.gpujs!.programs(
          { inputs, outputs },
          sample.attributes as object
        )) {
          for (const text of [functionText(compute), ...helpers.map((helper) => functionText(helper))]) {
            assert.notMatch(text, /__|\?\?|=>|\(0\s*,/, `${kernel.name}: ${text}`)
          }
        }
      }
    }
  })
})

describe("withParameters", () => {
  it("turns constants into parameters and leaves tables", () => {
    const text = "function f(a, b) { return a[this.constants.n] + this.constants.table[this.constants.nn] }"
    assert.strictEqual(
      withParameters(text, ["n"]),
      "function f(a, b, given_n) { return a[given_n] + this.constants.table[this.constants.nn] }"
    )
    assert.strictEqual(
      withParameters("function f() { return this.constants.n }", ["n"]),
      "function f(given_n) { return given_n }"
    )
  })
})
