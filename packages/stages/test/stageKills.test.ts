/** kill -9 over all stages of SPEED-Q, in the middle of writes included: continued, the files are the same bytes. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { type Lcg, nextUniform } from "../../pipeline/test/toy/Lcg.ts"
import { eachStage, writeNanoModel } from "./support/nano.ts"
import { type NanoEnded, type NanoFaults, runNano } from "./support/nanoProcess.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-kills-"))
const recipe = join(root, "recipe.json")

/** A stage of the undisturbed run: how often it changed the file system, and how long it took. */
interface Extent {
  readonly place: string
  readonly changes: number
  readonly milliseconds: number
}
let extents: readonly Extent[]
let undisturbed: Readonly<Record<string, string>>

const extentsOf = (stdout: string, directory: string): readonly Extent[] => {
  const counts = [...stdout.matchAll(/^(\S+) begins, change (\d+)$|^done, change (\d+)$/gm)]
  const events: readonly { readonly at: string; readonly event: string; readonly stage?: string }[] = readFileSync(
    join(directory, "events.jsonl"),
    "utf8"
  )
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  return counts.slice(0, -1).map(([, place = "", first], index) => {
    const next = counts[index + 1]!
    const at = (kind: string) => Date.parse(events.find(({ event, stage }) => event === kind && stage === place)!.at)
    return {
      place,
      changes: Number(next[2] ?? next[3]) - Number(first),
      milliseconds: at("StageFinished") - at("StageStarted")
    }
  })
}

beforeAll(async () => {
  writeFileSync(recipe, JSON.stringify(eachStage(await writeNanoModel(join(root, "model")))))
  const directory = join(root, "undisturbed")
  const { code, stdout, stderr } = await runNano(directory, recipe)
  assert.strictEqual(code, 0, stderr)
  extents = extentsOf(stdout, directory)
  undisturbed = resultsOf(directory)
}, 300_000)
afterAll(() => rmSync(root, { recursive: true, force: true }))

interface Moment extends Extent {
  readonly part: number
}

/** A moment in every stage, and two in one of them; at a random part of the half of it that is still to do. */
const moments = (random: Lcg): readonly Moment[] => {
  const chosen = Math.floor(nextUniform(random) * extents.length)
  return extents.flatMap((extent, index) =>
    Array.from({ length: index === chosen ? 2 : 1 }, () => ({ ...extent, part: nextUniform(random) / 2 }))
  )
}

/** Every third of these, from a random one on. */
const everyThird = (random: Lcg, all: readonly Moment[]): readonly Moment[] => {
  const first = Math.floor(3 * nextUniform(random))
  return all.filter((_, index) => index % 3 === first)
}

/** Kills a run at one moment after another, continues it after the last, and gives the place each kill hit. */
const killed = async (name: string, faults: readonly NanoFaults[]): Promise<readonly string[]> => {
  const hit: string[] = []
  let directory = join(root, name)
  const compare = ({ code, stderr }: NanoEnded) => {
    assert.strictEqual(code, 0, stderr)
    assert.deepStrictEqual(resultsOf(directory), undisturbed)
  }
  for (const [index, fault] of faults.entries()) {
    const ended = await runNano(directory, recipe, fault)
    if (ended.signal === "SIGKILL") {
      hit.push([...ended.stdout.matchAll(/^(\S+) begins/gm)].at(-1)?.[1] ?? "")
    } else {
      // It was faster than the signal: it is finished, and the next moment is one of another run.
      compare(ended)
      directory = join(root, `${name}-${index}`)
    }
  }
  compare(await runNano(directory, recipe))
  return hit
}

// Side by side: each run waits for its own process most of the time.
describe.concurrent("kill -9", () => {
  it("in the middle of random changes of the file system", async () => {
    const chosen = moments({ state: 20261126 })
    const hit = await killed(
      "by-change",
      chosen.map(({ place, changes, part }) => ({
        env: { CRASH_IN: `${place}:${1 + Math.floor(part * changes)}` }
      }))
    )
    assert.deepStrictEqual(
      hit,
      chosen.map(({ place }) => place)
    )
  }, 600_000)

  it("at random times", async () => {
    const random = { state: 62112026 }
    const chosen = everyThird(random, moments(random))
    const hit = await killed(
      "by-time",
      chosen.map(({ place, milliseconds, part }) => ({
        kill: { at: new RegExp(`^${place} begins`, "m"), signal: "SIGKILL" as const, after: part * milliseconds }
      }))
    )
    // A signal may come late on a busy machine, when the stage it was meant for is over.
    assert.isAtLeast(hit.length, chosen.length - 1)
  }, 600_000)
})
