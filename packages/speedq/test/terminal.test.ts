/** Nothing that a file says steers the terminal: what commands print of a hostile run. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { speedq } from "./support/inProcess.ts"
import { temporaryDirectory } from "./support/speedq.ts"

const hostile = "\u001b[31m\u009b2J\u001b]0;owned\u0007\u202e"
const steering = /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/

/** A run of which each text is hostile. */
const hostileRun = (): string => {
  const directory = join(temporaryDirectory(), "run")
  mkdirSync(directory)
  const write = (name: string, value: unknown) => writeFileSync(join(directory, name), `${JSON.stringify(value)}\n`)
  const now = "2026-01-01T00:00:00.000Z"
  const said = (text: string) => `${text}${hostile}`
  write("run.json", {
    format: 2,
    recipe: { name: said("name"), model: said("model"), stages: [{ use: said("use"), title: said("title") }] },
    keys: {},
    build: said("build"),
    surroundings: { [said("plugin")]: said("brought"), [`plugin ${hostile}`]: said("brought") },
    startedAt: now,
    continuedAt: []
  })
  write("events.jsonl", { at: now, event: "RunFailed", data: { message: said("failed") } })
  return directory
}

describe("a hostile run", () => {
  it("does not steer the terminal", async () => {
    const directory = hostileRun()
    for (const args of [
      ["status", directory],
      ["status", directory, "--json"],
      ["plan", directory],
      ["export", directory, "--format", "packed"]
    ]) {
      const { stdout } = await speedq(args)
      assert.notMatch(stdout, steering, args.join(" "))
    }
    const { stdout } = await speedq(["status", directory])
    assert.include(stdout, "failed: failed\ufffd[31m")
    const status = JSON.parse((await speedq(["status", directory, "--json"])).stdout) as { readonly message: string }
    assert.strictEqual(status.message, `failed${hostile}`)
  })
})
