import { existsSync } from "node:fs"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { AtomicFile, FileFailed, fixFor, refusalOf, refusalReasons, refusalText } from "../src/index.ts"

const refused = (code: string, operation = "write") =>
  new FileFailed({ file: "/out/x", operation, code, reason: `${code}: said the system` })

describe("what to do when the file system refuses", () => {
  it("is in the message, one advice for each reason", () => {
    const advised = (code: string) =>
      refused(code).message.slice(`/out/x: cannot write: ${code}: said the system`.length)
    assert.strictEqual(advised("ENOSPC"), "; free some space and run the same command again")
    assert.match(advised("EDQUOT"), /^; remove files of this user there, or have the quota raised/)
    assert.match(advised("EFBIG"), /^; raise the limit \("ulimit -f"\)/)
    for (const code of ["EACCES", "EPERM"])
      assert.strictEqual(advised(code), "; give this user the right to it, or choose another place")
    assert.strictEqual(advised("EROFS"), "; choose another place")
    assert.strictEqual(advised("EOPNOTSUPP"), "; choose a place on another one")
    assert.strictEqual(advised("EINVAL"), "")
    assert.strictEqual(new Set(refusalReasons.map((reason) => refusalText(reason).fix)).size, refusalReasons.length)
  })

  it("is found for any error with a system's code, and for nothing else", () => {
    assert.strictEqual(refusalOf("EMFILE"), "too-many-open")
    assert.strictEqual(fixFor(Object.assign(new Error("no"), { code: "EROFS" })), "choose another place")
    assert.isUndefined(fixFor(Object.assign(new Error("no"), { code: "ERR_INVALID_ARG_TYPE" })))
    assert.isUndefined(fixFor("ENOSPC"))
  })
})

describe("a directory of a file system that cannot flush directories", () => {
  // /proc answers EINVAL.
  it.runIf(existsSync("/proc/self"))("is no failure", async () => {
    await Effect.runPromise(AtomicFile.flushDirectory("/proc"))
    const { code } = await Effect.runPromise(Effect.flip(AtomicFile.flushDirectory("/proc/no-such-directory")))
    assert.strictEqual(code, "ENOENT")
  })
})
