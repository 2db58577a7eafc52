/** Block-AP of the vision tower: what it gives, that an interruption changes none of it, and what it refuses. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RunEvents } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { afterAll, assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { eventsOfKind, makeNanoRuns, nanoData, shortStages } from "./support/nano.ts"

const runs = makeNanoRuns()
const root = mkdtempSync(join(tmpdir(), "speedq-blockwise-vit-"))
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

const place = "01-blockwise-vit"
const recipe = (...stages: readonly object[]) => ({
  version: 1,
  name: "blockwise-vit",
  model: join(nanoData, "model"),
  seed: 3,
  save: { everySteps: 2 },
  stages
})
const { adaround, blockwiseVit } = shortStages

const finished = async (name: string, ...stages: readonly object[]) => {
  const directory = join(root, name)
  const { exit, entries } = await runs.run(recipe(...stages), directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return { directory, entries }
}

const { buffersInUse } = runs

/** Errors of blocks, before and after. */
const errorsOf = async (name: string, stage: object) => {
  const { entries } = await finished(name, stage)
  const blocks = eventsOfKind(RunEvents.LayerQuantized, entries).filter(({ errorBefore }) => errorBefore !== undefined)
  const sum = (numbers: readonly (number | undefined)[]) => numbers.reduce<number>((a, b) => a + b!, 0)
  return {
    before: sum(blocks.map(({ errorBefore }) => errorBefore)),
    after: sum(blocks.map(({ errorAfter }) => errorAfter))
  }
}

describe.each([
  { grids: "follow", quantizers: blockwiseVit.quantizers },
  { grids: "learned", quantizers: blockwiseVit.quantizers },
  { grids: "learned", quantizers: [{ match: "**", use: "uniform", with: { bits: 2, group: 16 } }] }
])("$quantizers.0.use with grids that are $grids", ({ grids, quantizers }) => {
  const stage = { ...blockwiseVit, grids, quantizers }
  const name = `${quantizers[0]!.use}-${grids}`

  it("lowers the error of blocks, and ends with the same bytes however often it is interrupted", async () => {
    const { before, after } = await errorsOf(name, stage)
    assert.isBelow(after, before)
    const whole = join(root, name)
    const report = readFileSync(join(whole, "stages", place, "report.json"), "utf8")
    assert.include(report, "Reconstruction error of each vision block")
    assert.include(report, "Block-AP")

    const directory = join(root, `${name}-killed`)
    // Within the first block, at its end, within another; once with activations in files.
    await runs.runInPieces(recipe(stage), place, directory, [
      { step: 3, recipe: recipe({ ...stage, cache: "0 B" }) },
      { step: 16, recipe: recipe(stage) },
      { step: 20, recipe: recipe({ ...stage, cache: "0 B" }) }
    ])
    assert.deepStrictEqual(resultsOf(directory), resultsOf(whole))
    assert.strictEqual(await buffersInUse(), 0)
  })
})

describe("blockwise-vit", () => {
  it("leaves less error with learned grids than AdaRound of as many iterations on the same tiles", async () => {
    const more = { count: 24, batch: 8 }
    const trained = await errorsOf("more", { ...blockwiseVit, ...more, epochs: 20, grids: "learned" })
    const rounded = await errorsOf("rounded", { ...adaround, ...more, iterations: 60 })
    assert.isBelow(trained.after, rounded.after)
  })

  it("gives what stages after it take for the tower, as stage 1 does", async () => {
    const { directory } = await finished("chain", blockwiseVit, { ...shortStages.projector, maxSteps: 2 })
    const manifest = JSON.parse(readFileSync(join(directory, "stages/02-train-projector/manifest.json"), "utf8"))
    assert.deepStrictEqual(Object.keys(manifest.manifest.parts.inputs), ["quantizedVision"])
  })

  it("refuses quantizers without a grid, and ranges that would be searched for in every iteration", async () => {
    const refused = async (quantizers: readonly object[]) => {
      const { exit } = await runs.run(recipe({ ...blockwiseVit, quantizers }), join(root, "refused"))
      return Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : assert.fail("was not refused")
    }
    assert.match(await refused([{ match: "**", use: "n2f3" }]), /Block-AP needs a quantizer with a grid/)
    const searched = { bits: 2, group: 16, scaleGroup: 16, range: "mse" }
    assert.match(await refused([{ match: "**", use: "bilevel", with: searched }]), /range "mse"/)
  })
})
