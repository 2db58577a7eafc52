/** A new project type-checks, and its recipe can be planned and run. */
import { spawnSync } from "node:child_process"
import { readFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import type { CreatedProject } from "../src/create/createProject.ts"
import type { RecipePlan } from "../src/recipes/planRecipe.ts"
import type { RunResult } from "../src/recipes/runRecipe.ts"
import { json, speedq } from "./support/inProcess.ts"
import { root, temporaryDirectory } from "./support/speedq.ts"

describe("speedq create", () => {
  it("makes a project that compiles and runs", async () => {
    const directory = join(temporaryDirectory(), "My model!")
    const { files } = (await json(["create", directory])) as CreatedProject
    assert.includeMembers(files as string[], ["recipe.ts", "data/README.md", "README.md", ".gitignore"])
    const own = JSON.parse(readFileSync(join(directory, "package.json"), "utf8"))
    const repository = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
    assert.strictEqual(own.name, "my-model-")
    assert.strictEqual(own.devDependencies.typescript, repository.devDependencies.typescript)
    symlinkSync(join(root, "node_modules"), join(directory, "node_modules"))
    const checked = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc")], { cwd: directory })
    assert.strictEqual(checked.status, 0, checked.stdout.toString())

    const recipe = join(directory, "recipe.ts")
    const planned = (await json(["plan", recipe, "--no-time"])) as RecipePlan
    assert.isTrue(planned.fits, JSON.stringify(planned.problems))
    const short = ["adaround-vit.count=4", "adaround-vit.iterations=2", "train-projector.maxSteps=1"]
    const shorter = [...short, "autoclip.documents=16", "qat.maxSteps=1", "evaluate.benchmarks[0].limit=4"]
    const settings = shorter.flatMap((setting) => ["--set", setting])
    const out = join(directory, "runs", "short")
    const run = (await json(["run", recipe, "--out", out, ...settings, "--backend", "native:none"])) as RunResult
    assert.strictEqual(run.stages.at(-1)?.place, "06-export")

    const again = await speedq(["create", directory])
    assert.strictEqual(again.code, 1)
    assert.match(again.stderr, /is not empty/)
  })
})
