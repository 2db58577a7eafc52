/** A recipe as a module, and a run that is continued by its directory alone. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import type { RunStatus } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { examplesOf } from "../../../scripts/readmes/examplesOf.ts"
import { Run } from "../src/index.ts"
import type { RecipePlan } from "../src/recipes/planRecipe.ts"
import type { RunResult } from "../src/recipes/runRecipe.ts"
import { fails, json, speedq, works } from "./support/inProcess.ts"
import { recipe } from "./support/recipeInCode.ts"
import { randomNano, speedqStages, writeRecipe } from "./support/smallRun.ts"
import { speedqProcess, temporaryDirectory } from "./support/speedq.ts"

const native = ["--backend", "native:none"]
const module = fileURLToPath(new URL("support/recipeInCode.ts", import.meta.url))

describe("a recipe in a module", () => {
  it("is run, and changed by --set down to the options of a stage that only it knows", async () => {
    const out = join(temporaryDirectory(), "run")
    const run = (await json(["run", module, "--out", out, ...native])) as RunResult
    assert.deepEqual(
      run.stages.map(({ place, steps }) => [place, steps]),
      [["01-count", 3]]
    )
    const changed = (await json(["run", module, "--out", out, "--set", "count.steps=5", ...native])) as RunResult
    assert.strictEqual(changed.stages[0]?.steps, 5)
    const bare = await speedq(["run", out, ...native])
    assert.strictEqual(bare.code, 1)
    assert.include(bare.stderr, `the recipe of ${out} came from ${module}: run that file, with --out ${out}\n`)
    assert.include(bare.stderr, 'there is no stage "count"')
    const wrong = await speedq(["run", module, "--out", out, "--set", "count.stepz=5", ...native])
    assert.strictEqual(wrong.code, 2)
    assert.match(wrong.stderr, /did you mean count\.steps/)
  })

  it("that exports none is told, with what it exports", async () => {
    const file = join(temporaryDirectory(), "empty.mjs")
    writeFileSync(file, "export const other = 1\n")
    const { code, stderr } = await speedq(["run", file, ...native])
    assert.strictEqual(code, 1)
    assert.match(stderr, /empty\.mjs: it exports other; write export const recipe = Recipe\.make/)
  })
})

describe("the README's recipe", () => {
  const { text } = examplesOf("README.md").find((example) => example.text.includes("export const recipe"))!
  const speedqSource = fileURLToPath(new URL("../src/index.ts", import.meta.url))

  it("is read by plan and run, which leave its Run.main alone", async () => {
    const directory = temporaryDirectory()
    const [file, own] = [join(directory, "recipe.ts"), join(directory, "runs", "own")]
    assert.include(text, "Run.main(")
    writeFileSync(file, text.replace('"speedq"', JSON.stringify(speedqSource)).replace("runs/mine", own))
    const planned = (await json(["plan", file, "--no-time"])) as RecipePlan
    assert.isTrue(planned.fits, JSON.stringify(planned.problems))
    const out = join(directory, "runs", "command")
    const short = ["adaround-vit.count=4", "adaround-vit.iterations=2", "autoclip.documents=16", "qat.maxSteps=1"]
    const run = (await json([
      "run",
      file,
      "--out",
      out,
      ...short.flatMap((set) => ["--set", set]),
      ...native
    ])) as RunResult
    assert.strictEqual(run.stages.length, 5)
    assert.isFalse(existsSync(own))
  })
})

describe("speedq run DIR", () => {
  it("of a run that a program made with a stage of its own names what it brought", async () => {
    const out = join(temporaryDirectory(), "run")
    const extensions = { stages: recipe.stages.map(({ kind }) => kind) }
    const settings = { directory: out, backend: "native:none", progress: "silent" } as const
    await Effect.runPromise(Run.start(recipe, { ...settings, extensions }))
    const { message } = await fails(["run", out, ...native])
    const brought = 'stage "count" (version 1)'
    assert.include(message, `${out} was made by a program with ${brought} in code; run that program, or export them`)
    assert.notInclude(message, "--plugin in code")
    assert.include((await works(["status", out])).stdout, `made in code with ${brought}\n`)
  })

  it("goes on with the recipe that the directory holds, after its recipe file is gone and elsewhere", async () => {
    const directory = temporaryDirectory()
    const out = join(directory, "run")
    const file = writeRecipe(await randomNano(directory), speedqStages(12))
    let told = false
    const first = await speedqProcess(["run", file, "--out", out, ...native], {
      onStderr: (text, kill) => {
        if (!told && text.includes("03-qat: saved step 2:")) kill("SIGINT")
        told ||= text.includes("03-qat: saved step 2:")
      }
    })
    assert.strictEqual(first.code, 130, first.stderr)
    writeFileSync(file, "no recipe any more")
    const again = await speedq(["run", out, ...native])
    assert.strictEqual(again.code, 0, again.stderr)
    assert.match(again.stderr, /03-qat: continuing after step \d+ of/)
    const status = (await json(["status", out])) as RunStatus
    assert.strictEqual(status.state, "finished")
    assert.include(readFileSync(join(out, "events.jsonl"), "utf8"), '"continued":true')
  })

  it("without a run in it is told", async () => {
    const { code, stderr } = await speedq(["run", temporaryDirectory(), ...native])
    assert.strictEqual(code, 1)
    assert.match(stderr, /no run/)
  })
})

describe("stages of one recipe that disagree about a layer", () => {
  it("are an obstacle of plan, which ends with 1", async () => {
    const directory = temporaryDirectory()
    const model = await randomNano(directory)
    const rules = (bits: number) => [{ match: "**", use: "bilevel", with: { bits, group: 16, scaleGroup: 4 } }]
    const data = speedqStages(2)[2] as { readonly data: object }
    const stages = [
      { use: "autoclip", calibration: recipeText(directory), quantizers: rules(4) },
      { use: "qat", data: data.data, accumulation: 1, maxSteps: 2, quantizers: rules(2) }
    ]
    const plan = ["plan", writeRecipe(model, stages), "--no-time"]
    const { code, stdout } = await speedq(plan)
    assert.strictEqual(code, 1, stdout)
    assert.match(
      stdout,
      /\d\d-autoclip and \d\d-qat disagree about the quantizer of \d+ layers, for example language_model/
    )
    const agreed = await speedq([...plan, "--set", "qat.quantizers[0].with.bits=4"])
    assert.notInclude(agreed.stdout, "disagree")
  })
})

const recipeText = (directory: string): string => {
  const file = join(directory, "text.jsonl")
  writeFileSync(file, `${JSON.stringify({ text: "word ".repeat(400) })}\n`)
  return file
}
