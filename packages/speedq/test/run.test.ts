import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { RunStatus } from "@speedq/pipeline"
import { assert, describe, it } from "vitest"
import type { RunResult } from "../src/recipes/runRecipe.ts"
import { shippedNano } from "../src/shipped/shipped.ts"
import { fails, json, speedq } from "./support/inProcess.ts"
import { evaluateStage, randomNano, speedqStages, writeRecipe } from "./support/smallRun.ts"
import { speedqProcess, temporaryDirectory } from "./support/speedq.ts"

const native = ["--backend", "native:none"]

describe("speedq run", () => {
  it("runs a recipe, reuses what is finished, and prints one document", async () => {
    const directory = temporaryDirectory()
    const model = await randomNano(directory)
    const out = join(directory, "run")
    const stages = [...speedqStages(2), evaluateStage("SPEED-Q")]
    const args = ["run", writeRecipe(model, stages), "--out", out, ...native]
    const first = (await json(args)) as RunResult
    assert.strictEqual(first.report, join(out, "report.html"))
    assert.isTrue(existsSync(first.report))
    assert.match(first.backend, /^native \(WebAssembly/)
    const [evaluation] = first.tables
    assert.strictEqual(evaluation?.title, "Evaluation")
    assert.strictEqual(evaluation?.rows[0]?.[0], "SPEED-Q")

    const again = await speedq([...args, "--set", "evaluate.title=again"])
    assert.strictEqual(again.code, 0, again.stderr)
    const told = again.stderr.slice(0, again.stderr.indexOf("continuing small"))
    assert.include(told, `${out} holds results of other settings, which are computed again:\n`)
    assert.match(told, /^04-evaluate +\d+\/\d+ .*config\.title: "SPEED-Q" -> "again"\nThey move to /m)
    assert.notInclude(told, "03-qat")
    assert.match(again.stderr, /03-qat: finished before, reused/)
    assert.match(again.stdout, /^Evaluation\nmodel +.*\nagain +\d/)

    const planned = (await json(["plan", join(out, "run.json"), "--no-time"])) as { readonly directory: string }
    assert.strictEqual(planned.directory, out)

    const status = (await json(["status", out])) as RunStatus
    assert.strictEqual(status.state, "finished")
    assert.deepStrictEqual(
      status.stages.map(({ place, state }) => [place, state]),
      [
        ["01-adaround-vit", "finished"],
        ["02-train-projector", "finished"],
        ["03-qat", "finished"],
        ["04-evaluate", "finished"]
      ]
    )

    // As after a change of the recipe whose run has not come as far yet.
    const record = JSON.parse(readFileSync(join(out, "run.json"), "utf8"))
    record.keys["03-qat"] = record.keys["01-adaround-vit"]
    writeFileSync(join(out, "run.json"), JSON.stringify(record))
    assert.match((await speedq(["status", out])).stdout, /03-qat +stale/)
    const refused = await speedq(["export", out, "--format", "packed", ...native])
    assert.strictEqual(refused.code, 1)
    assert.match(refused.stderr, /the result of its stage 03-qat is stale: .*; continue the run first/)
  })

  it("names a file where the run's directory should be", async () => {
    const file = join(temporaryDirectory(), "file")
    writeFileSync(file, "")
    for (const out of [file, join(file, "run")]) {
      const { message } = await fails(["run", "nano-2bit", "--out", out, ...native])
      const reason = `${file} is a file, not a directory; choose another place`
      assert.include(message, `could not open the run directory (${out}): ${reason}`)
    }
  })

  it("saves and exits with 130 when interrupted, and continues to the same bytes", async () => {
    const directory = temporaryDirectory()
    const recipe = writeRecipe(await randomNano(directory), speedqStages(16))
    const [whole, broken] = [join(directory, "whole"), join(directory, "broken")]
    const args = (out: string) => ["run", recipe, "--out", out, ...native]
    assert.strictEqual((await speedq(args(whole))).code, 0)

    let told = false
    const interrupted = await speedqProcess(args(broken), {
      onStderr: (text, kill) => {
        if (!told && text.includes("03-qat: saved step 3:")) kill("SIGINT")
        told ||= text.includes("03-qat: saved step 3:")
      }
    })
    assert.strictEqual(interrupted.code, 130, interrupted.stderr)
    assert.match(interrupted.stderr, /interrupted after step \d+ of \d+, saved; it can be continued/)
    assert.match(
      interrupted.stderr,
      new RegExp(`\\nto continue: .* run ${recipe} --out ${broken} --backend native:none\n$`)
    )
    const status = await speedq(["status", broken])
    assert.match(status.stdout, /interrupted and saved/)
    assert.match(status.stdout, /03-qat +begun +\d+\/\d+/)

    const continued = await speedq(args(broken))
    assert.strictEqual(continued.code, 0, continued.stderr)
    assert.match(continued.stderr, /03-qat: continuing after step \d+ of \d+/)
    const result = (out: string) => readFileSync(join(out, "stages", "03-qat", "quantizedLanguage.safetensors"))
    assert.isTrue(result(broken).equals(result(whole)))
  })

  it("begun in one directory with relative paths, continues by its directory from another one to the same bytes", async () => {
    const parent = temporaryDirectory()
    const [begun, other] = [join(parent, "begun"), join(parent, "other")]
    for (const directory of [begun, other]) mkdirSync(directory)
    await randomNano(begun)
    symlinkSync(shippedNano, join(begun, "data"))
    const stages = JSON.parse(JSON.stringify(speedqStages(2).slice(0, 2)).replaceAll(shippedNano, "data"))
    writeRecipe(join(begun, "model"), stages, "small", "model")
    const args = (out: string) => ["run", "small.json", "--out", out, ...native]
    const whole = await speedqProcess(args("whole"), { cwd: begun })
    assert.strictEqual(whole.code, 0, whole.stderr)
    const interrupted = await speedqProcess(args("run"), {
      cwd: begun,
      onStderr: (text, kill) => text.includes("02-train-projector: saved step 1") && kill("SIGKILL")
    })
    assert.strictEqual(interrupted.signal, "SIGKILL", interrupted.stderr)
    const recordOf = () => JSON.parse(readFileSync(join(begun, "run", "run.json"), "utf8"))
    assert.strictEqual(recordOf().workingDirectory, "..")

    const here = process.cwd()
    process.chdir(other)
    try {
      // A record that does not say it, as those of older versions, goes on only where its paths are found.
      const { workingDirectory: _, ...older } = recordOf()
      mkdirSync(join(parent, "older"))
      writeFileSync(join(parent, "older", "run.json"), JSON.stringify(older))
      assert.match((await fails(["run", "../older", ...native])).message, /model/)

      const logged = ["--log", "told.txt"]
      const continued = await speedq(["run", "../begun/run", ...native, ...logged])
      assert.strictEqual(continued.code, 0, continued.stderr)
      assert.include(continued.stderr, `relative paths count from ${begun}, where the run was begun\n`)
      assert.match(continued.stderr, /02-train-projector: continuing after step 1 of 2/)
      assert.strictEqual(process.cwd(), other)
      assert.deepStrictEqual(readdirSync(other), ["told.txt"])
      assert.notInclude(readFileSync(join(begun, "run", "report.html"), "utf8"), parent)
      const result = (out: string) =>
        readFileSync(join(begun, out, "stages", "02-train-projector", "projector.safetensors"))
      assert.isTrue(result("run").equals(result("whole")))

      // A run that was moved without what it names goes on where that is.
      renameSync(join(begun, "run"), join(parent, "moved"))
      process.chdir(begun)
      const moved = await speedq(["run", "../moved", ...native])
      assert.strictEqual(moved.code, 0, moved.stderr)
      assert.match(moved.stderr, /finished before, reused/)
    } finally {
      process.chdir(here)
    }
  })

  it("refuses a model that is not there before it does anything", async () => {
    const directory = temporaryDirectory()
    const recipe = writeRecipe(join(directory, "missing"), speedqStages(2))
    const { code, stdout, stderr } = await speedq(["run", recipe, "--out", join(directory, "run"), ...native])
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "")
    assert.match(stderr, /missing/)
    assert.notMatch(stderr, /\n {4}at /)
  })

  it("says that a directory holds no run", async () => {
    const { code, stderr } = await speedq(["status", temporaryDirectory()])
    assert.strictEqual(code, 1)
    assert.match(stderr, /holds no run \(it has no run\.json\)/)
  })

  it("says that a run.json is cut off, and what to do", async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, "run.json"), '{\n  "format": 2,\n  "recipe": {')
    for (const args of [["status"], ["run"], ["export", "--format", "packed"]]) {
      const { code, stderr } = await speedq([...args, directory])
      assert.strictEqual(code, 1)
      assert.match(
        stderr,
        /run\.json is cut off or damaged; run the same recipe again with "--out .*finished stages are kept/
      )
      assert.notMatch(stderr, /\n {4}at /)
    }
  })
})
