/** Bits allocated under a budget: what is chosen, that it is continued to the same bytes, and that later stages take it. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { makeNanoRuns, nanoData, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("allocate", runs)

const bilevel = (bits: number, group: number) => ({ use: "bilevel", with: { bits, group, scaleGroup: 16 } })
const schemes = { w2: [{ match: "**", ...bilevel(2, 16) }], w4: [{ match: "**", ...bilevel(4, 32) }] }
const allocate = {
  use: "allocate-bits",
  budget: "3 bits",
  candidates: ["w2", "w4"],
  data: { meta: join(nanoData, "datasets.json") },
  records: 2
}
const round = { use: "round-language", quantizers: "w2" }
const recipe = (name: string, stages: readonly object[]) => ({
  version: 1,
  name,
  model,
  seed: 3,
  save: { everySteps: 1 },
  schemes,
  stages
})
const run = (name: string, stages: readonly object[], stop?: { readonly stage: string; readonly step: number }) =>
  runs.run(recipe(name, stages), join(root, name), stop)

const failureOf = ({ exit }: Awaited<ReturnType<typeof run>>): string => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof Error ? error.message : String(error)
}

/** Bits of the layers that a stage's artefact names, by layer. */
const bitsIn = (name: string, file: string): ReadonlyMap<string, number> => {
  const bytes = readFileSync(join(root, name, "stages", file))
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString())
  const data = JSON.parse(header.__metadata__.data ?? header.__metadata__.json)
  const choices = data.choices ?? data
  return new Map(
    Object.entries<{ readonly with: { readonly bits: number } }>(choices).map(([layer, choice]) => [
      layer,
      choice.with.bits
    ])
  )
}

describe("allocate-bits", () => {
  it("chooses within the budget, goes on to the same bytes, and decides for the stages after it", async () => {
    const stages = [allocate, { ...shortStages.adaround, count: 2, iterations: 1, batch: 2, quantizers: "w2" }, round]
    const whole = await run("whole", stages)
    assert.isTrue(Exit.isSuccess(whole.exit), failureOf(whole))
    await run("stopped", stages.slice(0, 1), { stage: "01-allocate-bits", step: 3 })
    const continued = await run("stopped", stages.slice(0, 1))
    assert.isTrue(Exit.isSuccess(continued.exit), failureOf(continued))
    const [a, b] = ["whole", "stopped"].map((name) =>
      readFileSync(join(root, name, "stages/01-allocate-bits/allocation.safetensors"))
    )
    assert.deepStrictEqual(a, b)
    console.log(whole.entries.length)
  })

  it.each([
    ["2 bits", /below the cheapest candidates, which take 2\.500 bits a weight .*set budget to 2\.5 bits or more/],
    ["1 KB", /the budget of 0\.0\d\d bits a weight \(1 KB\) is below/],
    ["2 bytes a weight", /budget such as "2.3 bits" or "300 MB"/]
  ])("refuses a budget of %s", async (budget, message) => {
    assert.match(failureOf(await run(`budget ${budget}`, [{ ...allocate, budget }])), message)
  })

  it("refuses candidates that are about different layers, or about others than Linears of blocks", async () => {
    const [two] = schemes.w2
    const language = await run("different", [{ ...allocate, candidates: ["w2", [{ ...two, tower: "language" }]] }])
    assert.match(failureOf(language), /candidates\[0\] and candidates\[1\] name different layers, 12 of them/)
    const embedding = [{ match: "**", layers: "embedding", use: "embedding-sym4" }]
    assert.match(failureOf(await run("embedding", [{ ...allocate, candidates: [embedding] }])), /no Linear/)
  })
})
