import { assert, describe, it } from "vitest"
import { PieceCache } from "../src/tokenizer/PieceCache.ts"

describe("PieceCache", () => {
  it("stays within twice its capacity and keeps what is used", () => {
    const cache = new PieceCache(10)
    const used = Int32Array.of(7)
    cache.set("used", used)
    for (let i = 0; i < 1000; i++) {
      cache.set(`piece ${i}`, Int32Array.of(i))
      assert.strictEqual(cache.get("used"), used)
      assert.isAtMost(cache.size, 20)
    }
    assert.isUndefined(cache.get("piece 0"))
    assert.deepEqual([...cache.get("piece 999")!], [999])
  })
})
