import { assert, describe, it, vi } from "vitest"
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
