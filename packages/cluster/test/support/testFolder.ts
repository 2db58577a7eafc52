/** A folder for the tests of a file. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { endProcesses } from "./processes.ts"

/** Gives paths in a new folder; when the tests are over, processes end and the folder goes. */
export const testFolder = (name: string): ((file: string) => string) => {
  const root = mkdtempSync(join(tmpdir(), `speedq-${name}-`))
  afterAll(() => {
    endProcesses()
    rmSync(root, { recursive: true, force: true })
  })
  return (file) => join(root, file)
}
