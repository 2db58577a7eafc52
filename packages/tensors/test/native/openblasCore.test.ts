/** Which kernels OpenBLAS is told to use. */
import { assert, describe, it } from "vitest"
import { coreTypeFor } from "../../src/backends/native/thread/library/openblasCore.ts"

const avx512 = ["avx512f", "avx512dq", "avx512bw", "avx512cd", "avx512vl"]

describe("coreTypeFor", () => {
  it("names the AVX-512 kernels where an AMD processor has all of the features", () => {
    assert.strictEqual(coreTypeFor({ vendor: "AuthenticAMD", features: new Set(["avx2", ...avx512]) }), "SkylakeX")
  })

  it("leaves the choice to the library elsewhere", () => {
    assert.strictEqual(coreTypeFor({ vendor: "AuthenticAMD", features: new Set(["avx2"]) }), undefined)
    for (const missing of avx512) {
      const features = new Set(avx512.filter((name) => name !== missing))
      assert.strictEqual(coreTypeFor({ vendor: "AuthenticAMD", features }), undefined)
    }
    assert.strictEqual(coreTypeFor({ vendor: "GenuineIntel", features: new Set(avx512) }), undefined)
    assert.strictEqual(coreTypeFor({ vendor: "", features: new Set() }), undefined)
  })
})
