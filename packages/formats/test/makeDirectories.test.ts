import { existsSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { makeDirectories } from "../src/index.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const refusal = async (directory: string): Promise<NodeJS.ErrnoException> => {
  try {
    await makeDirectories(directory)
  } catch (error) {
    return error as NodeJS.ErrnoException
  }
  return assert.fail("it was made")
}

describe("makeDirectories", () => {
  it("makes all levels, also at the same time as others, and leaves alone what is there", async () => {
    const directory = join(temporaryDirectory(), "a", "b", "c")
    await Promise.all([makeDirectories(directory), makeDirectories(directory), makeDirectories(join(directory, "d"))])
    await makeDirectories(directory)
    assert.isTrue(statSync(join(directory, "d")).isDirectory())
  })

  it("names a file that is in the way", async () => {
    const file = join(temporaryDirectory(), "file")
    writeFileSync(file, "")
    for (const wanted of [file, join(file, "x", "y")]) {
      const { code, message } = await refusal(wanted)
      assert.strictEqual(code, "ENOTDIR")
      assert.strictEqual(message, `${file} is a file, not a directory; choose another place`)
    }
  })

  it.runIf(existsSync("/proc/self"))("ends where the file system takes no directories", async () => {
    const { code, message } = await refusal("/proc/speedq/x")
    assert.strictEqual(code, "EPERM")
    assert.strictEqual(message, "/proc takes no new directories")
  })
})
