/** kill -9 in each stage of SPEED-Q, in the middle of writes included: continued, the files are the same bytes. The campaign kills at random times. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { type Lcg, nextUniform } from "../../pipeline/test/toy/Lcg.ts"
import { eachStage, writeNanoModel } from "./support/nano.ts"
import { runNano } from "./support/nanoProcess.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-kills-"))
const recipe = join(root, "recipe.json")

/** A stage of the undisturbed run, and how often it changed the file system. */
interface Extent {
  readonly place: string
  readonly changes: number
}
let extents: readonly Extent[]
let undisturbed: Readonly<Record<string, string>>

const extentsOf = (stdout: string): readonly Extent[] => {
  const counts = [...stdout.matchAll(/^(\S+) begins, change (\d+)$|^done, change (\d+)$/gm)]
  return counts.slice(0, -1).map(([, place = "", first], index) => {
    const next = counts[index + 1]!
    return { place, changes: Number(next[2] ?? next[3]) - Number(first) }
  })
}

beforeAll(async () => {
  writeFileSync(recipe, JSON.stringify(eachStage(await writeNanoModel(join(root, "model")))))
  const directory = join(root, "undisturbed")
  const { code, stdout, stderr } = await runNano(directory, recipe)
  assert.strictEqual(code, 0, stderr)
  extents = extentsOf(stdout)
  undisturbed = resultsOf(directory)
}, 300_000)
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** A change in every stage, and two in one of them: in the half of it that is still to do, counted from the stage's beginning. */
const moments = (random: Lcg): ReadonlyArray<{ readonly place: string; readonly change: number }> => {
  const chosen = Math.floor(nextUniform(random) * extents.length)
  return extents.flatMap(({ place, changes }, index) =>
    Array.from({ length: index === chosen ? 2 : 1 }, () => ({
      place,
      change: 1 + Math.floor((nextUniform(random) / 2) * changes)
    }))
  )
}

it("kill -9 in the middle of random changes of the file system", async () => {
  const directory = join(root, "killed")
  for (const { place, change } of moments({ state: 20261126 })) {
    const { signal, stdout } = await runNano(directory, recipe, { env: { CRASH_IN: `${place}:${change}` } })
    assert.strictEqual(signal, "SIGKILL", place)
    assert.strictEqual([...stdout.matchAll(/^(\S+) begins/gm)].at(-1)?.[1], place)
  }
  const { code, stderr } = await runNano(directory, recipe)
  assert.strictEqual(code, 0, stderr)
  assert.deepStrictEqual(resultsOf(directory), undisturbed)
}, 600_000)
