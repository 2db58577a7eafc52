/** `speedq evaluate --cluster`: questions to the model of a directory, shared with runners, to the files of one process. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { shippedNano } from "../src/shipped/shipped.ts"
import { works } from "./support/inProcess.ts"
import { joinedRunner } from "./support/joinedRunner.ts"
import { randomNano } from "./support/smallRun.ts"
import { speedqProcess, temporaryDirectory } from "./support/speedq.ts"

const backend = ["--backend", "native:none"]

/** Every file in a directory, by name. */
const filesIn = (directory: string) =>
  Object.fromEntries(
    readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => [name, readFileSync(join(directory, name), "utf8")])
  )

describe("speedq evaluate --cluster", () => {
  it("gives the files of one process, also when a runner is killed", async () => {
    const directory = temporaryDirectory()
    const model = await randomNano(directory)
    const cluster = ["--cluster", join(directory, "cluster")]
    const [staying, killed] = await Promise.all([
      joinedRunner([...cluster, ...backend]),
      joinedRunner([...cluster, ...backend], /question \S+ of nano in /)
    ])
    const evaluate = (name: string, more: readonly string[]) =>
      speedqProcess([
        ...["evaluate", model, "--data", join(shippedNano, "evaluation", "short.tsv"), "--benchmark", "nano"],
        ...["--limit", "10", "--name", "mine", "--format", "tsv", "--out", join(directory, name)],
        ...[...backend, ...more]
      ])
    const shared = await evaluate("shared", cluster)
    assert.strictEqual(shared.code, 0, shared.stderr)
    assert.notInclude(shared.stderr, "is computed here")
    const alone = await evaluate("alone", [])
    assert.strictEqual(alone.code, 0, alone.stderr)
    const once = filesIn(join(directory, "alone"))
    assert.isAbove(Object.keys(once).length, 2)
    assert.deepStrictEqual(filesIn(join(directory, "shared")), once)
    const table = JSON.parse(readFileSync(join(directory, "shared", "runners", "runners.json"), "utf8"))
    const unitsOf = (name: string) => table.runners.find((each: { name: string }) => each.name === name).units
    assert.strictEqual(unitsOf(staying.name) + unitsOf(killed.name), 10)
    assert.isAbove(unitsOf(staying.name), 0)
    const { stdout } = await works(["status", join(directory, "shared")])
    assert.match(stdout, new RegExp(`^runners of .*cluster\n[^]*${staying.name} `))
    await staying.end()
  })
})
