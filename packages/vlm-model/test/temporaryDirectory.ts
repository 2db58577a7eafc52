/** A directory that lasts as long as the test file that asked for it. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"

export const temporaryDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-"))
  afterAll(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
