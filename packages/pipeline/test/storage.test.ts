/** What a run says when the file system refuses, whichever library asked it. */
import { FileFailed } from "@speedq/formats"
import * as PlatformError from "effect/PlatformError"
import { assert, describe, it } from "vitest"
import { storageFailed } from "../src/files/storage.ts"

const system = (code: string) => Object.assign(new Error(`${code}: said the system`), { code })
const platform = (code: string, method: string) =>
  PlatformError.systemError({ _tag: "Unknown", module: "FileSystem", method, cause: system(code) })
const said = (error: unknown) => {
  const { reason, message } = storageFailed("save", "/run", error)
  return [reason, message.replace("could not save (/run): ", "").replace(". What was saved before is intact.", "")]
}

describe("storageFailed", () => {
  it("knows the reason, and what to do, of writes, directories and links", () => {
    const full = ["disk-full", "the disk is full; free some space and run the same command again"]
    for (const error of [platform("ENOSPC", "write"), platform("ENOSPC", "makeDirectory"), system("ENOSPC")])
      assert.deepStrictEqual(said(error), full)
    const quota = "quota-used-up"
    assert.strictEqual(said(platform("EDQUOT", "makeDirectory"))[0], quota)
    const file = { file: "/run/x", operation: "write", reason: "EDQUOT: said the system" }
    const [reason, text] = said(new FileFailed({ ...file, code: "EDQUOT" }))
    assert.strictEqual(reason, quota)
    assert.match(text!, /^this user's quota of the file system is used up; remove files of this user there/)
    assert.deepStrictEqual(said(platform("EROFS", "link")), [
      "read-only",
      "the file system is read-only; choose another place"
    ])
    assert.deepStrictEqual(said(platform("ENOTSUP", "link")), [
      "not-supported",
      "this file system cannot do that; choose a place on another one"
    ])
    assert.deepStrictEqual(said(platform("EIO", "write")), ["other", "EIO: said the system"])
  })
})
