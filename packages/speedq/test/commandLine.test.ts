import { assert, describe, it, vi } from "vitest"
import { withoutPassword } from "../src/command/clusterFlag.ts"
import { continuation } from "../src/command/commandLine.ts"

describe("the command that continues", () => {
  it("is the one that was typed, quoted for a shell, and never begins anew", () => {
    vi.stubEnv("npm_lifecycle_event", "speedq")
    const command = continuation(["run", "my recipe.json", "--fresh", "--set", "name=it's"])
    assert.strictEqual(command, "npm run speedq -- run 'my recipe.json' --set 'name=it'\\''s'")
    vi.stubEnv("npm_lifecycle_event", undefined)
    vi.stubEnv("npm_command", "exec")
    assert.strictEqual(continuation(["run", "nano-2bit"]), "npx speedq run nano-2bit")
    vi.unstubAllEnvs()
  })
})

describe("a command line in records", () => {
  it("has no password of a cluster, wherever its address holds one", () => {
    for (const [given, kept] of [
      ["--cluster postgres://me:secret@db/x --json", "--cluster postgres://me:...@db/x --json"],
      ["--cluster postgres://me:sec@ret@db/x", "--cluster postgres://me:...@db/x"],
      ["--cluster=postgres://:secret@db/x", "--cluster=postgres://:...@db/x"],
      [
        "--cluster 'postgres://db/x?user=me&password=secret&sslmode=require'",
        "--cluster 'postgres://db/x?user=me&password=...&sslmode=require'"
      ],
      ["--cluster runs/cluster", "--cluster runs/cluster"]
    ] as const) {
      assert.strictEqual(withoutPassword(`speedq run ${given}`), `speedq run ${kept}`)
    }
  })
})
