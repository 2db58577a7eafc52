import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import { directoryName, Name, sameDirectory } from "../src/directory/Name.ts"

const decode = Schema.decodeUnknownResult(Name)
const refusal = (name: string): string => {
  const decoded = decode(name)
  return Result.isFailure(decoded) ? decoded.failure.message : assert.fail(`${JSON.stringify(name)} was taken`)
}

describe("a name", () => {
  it("is free text", () => {
    for (const name of ["nano-2bit", "CE only", "all at once: SPEED-Q, seed 1", "1.5", "中文", "a/b", "console"]) {
      assert.isTrue(Result.isSuccess(decode(name)), name)
    }
  })

  it("is refused where a directory called after it would be another one, or none", () => {
    for (const name of [".", "..", "...", "./", "../..", "-", "?", " "]) {
      assert.match(refusal(name), /no directory can be called after/)
    }
    assert.match(refusal("a\u001b[31m"), /"a\\u001b\[31m" has control characters/)
    for (const name of ["nul", "CON", "com1", "Aux.txt"]) assert.match(refusal(name), /is a device on Windows/)
    assert.match(refusal(""), /length of at least 1/)
  })

  it("gives a directory below the one that it is put into", () => {
    assert.strictEqual(directoryName("../../etc: 1"), "..-..-etc-1")
    assert.isTrue(sameDirectory("CE only", "ce-ONLY"))
    assert.isFalse(sameDirectory("a", "b"))
  })
})
