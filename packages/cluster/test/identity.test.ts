/** What decides bits: the same for the same backend, another for another, and named where it differs. */
import { openBackend } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { differenceOf, groupOf } from "../src/identity/Identity.ts"
import { numbersOf } from "../src/identity/numbersOf.ts"

const identity = { build: "speedq 1", backend: "native", numbers: "ab", plugins: "none" }

describe("numbersOf", () => {
  it("is the same again, differs between backends, and leaves no buffer", async () => {
    const [native, reference] = [await openBackend("native:none"), await openBackend("reference")]
    const digests = [await numbersOf(native), await numbersOf(native), await numbersOf(reference)]
    assert.strictEqual(digests[1], digests[0])
    assert.notStrictEqual(digests[2], digests[0])
    assert.strictEqual(native.usage().buffers, 0)
    await native.close()
    await reference.close()
  })
})

describe("an identity", () => {
  it("names the first thing that differs, with both values and what to do", () => {
    assert.isUndefined(differenceOf(identity, { ...identity }))
    for (const [field, name] of [
      ["build", "version"],
      ["plugins", "plugins"],
      ["backend", "backend"],
      ["numbers", "digest of computed numbers"]
    ] as const) {
      const found = differenceOf(identity, { ...identity, [field]: "other" })
      assert.strictEqual(found?.field, name)
      assert.strictEqual(found?.ofRun, identity[field])
      assert.strictEqual(found?.ofRunner, "other")
      assert.notStrictEqual(groupOf({ ...identity, [field]: "other" }), groupOf(identity))
    }
  })
})
