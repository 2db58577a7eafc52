/** `speedq worker --plugin`: shares a run that needs a plugin, where it has the same one. */
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { shippedNano } from "../src/shipped/shipped.ts"
import { joinedRunner } from "./support/joinedRunner.ts"
import { randomNano, writeRecipe } from "./support/smallRun.ts"
import { root, speedqProcess, temporaryDirectory } from "./support/speedq.ts"

const backend = ["--backend", "native:none"]

describe("speedq worker --plugin", () => {
  it("computes for a run with the same plugin; another one takes no part and is named", {
    timeout: 300_000
  }, async () => {
    const directory = temporaryDirectory()
    const cluster = ["--cluster", join(directory, "cluster")]
    const recipe = writeRecipe(await randomNano(directory), [
      {
        use: "qat",
        data: { meta: join(shippedNano, "datasets.json"), percent: 1 },
        accumulation: 2,
        shards: 2,
        maxSteps: 1,
        quantizers: [{ match: "**", use: "ternary", with: { group: 16 } }]
      }
    ])
    /** The example's quantizer elsewhere, where its packages are found. */
    const copied = (name: string) => {
      const folder = join(directory, name)
      mkdirSync(folder)
      symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
      const file = join(folder, "customQuantizer.ts")
      copyFileSync(join(root, "examples", "customQuantizer.ts"), file)
      return file
    }
    const [same, changed] = [copied("same"), copied("changed")]
    appendFileSync(changed, "// Another one.\n")
    const [ours, stranger] = [
      await joinedRunner([...cluster, ...backend, "--plugin", same]),
      await joinedRunner([...cluster, ...backend, "--plugin", changed])
    ]
    const run = (name: string, more: readonly string[]) =>
      speedqProcess([
        ...["run", recipe, "--out", join(directory, name), "--plugin", "examples/customQuantizer.ts"],
        ...[...backend, ...more]
      ])
    const shared = await run("shared", cluster)
    assert.strictEqual(shared.code, 0, shared.stderr)
    const [plugins] = [/the run has the plugins (\S+ \(\S+\)), the runner (\S+ \(\S+\));/.exec(shared.stderr)]
    assert.match(shared.stderr, new RegExp(`runner ${stranger.name} takes no part`))
    assert.match(plugins?.[1] ?? "", /^customQuantizer\.ts \([0-9a-f]{8}\)$/)
    assert.match(plugins?.[2] ?? "", /^customQuantizer\.ts \([0-9a-f]{8}\)$/)
    const table = JSON.parse(readFileSync(join(directory, "shared", "runners", "runners.json"), "utf8"))
    assert.strictEqual(table.here, 0)
    assert.deepInclude(
      table.runners.find(({ name }: { name: string }) => name === ours.name),
      { units: 2 }
    )
    const alone = await run("alone", [])
    assert.strictEqual(alone.code, 0, alone.stderr)
    const made = (name: string) =>
      readFileSync(join(directory, name, "stages", "01-qat", "quantizedLanguage.safetensors"))
    assert.isTrue(made("shared").equals(made("alone")))
    await Promise.all([ours.end(), stranger.end()])
  })
})
