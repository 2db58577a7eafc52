/** Which kernels OpenBLAS is told to use. */
import { assert, describe, it } from "vitest"
import { coreTypeFor } from "../../src/backends/native/openblasCore.ts"

const avx512 = ["avx512f", "avx512dq", "avx512bw", "avx512cd", "avx512vl"]

describe("coreTypeFor", () => {
  it("names the AVX-512 kernels where an AMD processor has all of the features", () => {
    assert.strictEqual(coreTypeFor("AuthenticAMD", new Set(["avx2", ...avx512])), "SkylakeX")
  })

  it("leaves the choice to the library elsewhere", () => {
    assert.strictEqual(coreTypeFor("AuthenticAMD", new Set(["avx2"])), undefined)
    for (const missing of avx512) {
      assert.strictEqual(coreTypeFor("AuthenticAMD", new Set(avx512.filter((name) => name !== missing))), undefined)
    }
    assert.strictEqual(coreTypeFor("GenuineIntel", new Set(avx512)), undefined)
    assert.strictEqual(coreTypeFor("", new Set()), undefined)
  })
})
