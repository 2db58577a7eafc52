/** Where a test file works. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"
import { writeNanoModel } from "./nano.ts"

/** A folder with a nano-size model in it. After the file's tests `runs` is disposed of, and then the folder is removed. */
export const nanoFolder = async (name: string, runs: { readonly dispose: () => Promise<void> }) => {
  const root = mkdtempSync(join(tmpdir(), `speedq-${name}-`))
  afterAll(async () => {
    await runs.dispose()
    rmSync(root, { recursive: true, force: true })
  })
  return { root, model: await writeNanoModel(join(root, "model")) }
}
