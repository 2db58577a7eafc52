import { existsSync, readdirSync } from "node:fs"
import { defineConfig } from "vitest/config"

// Packages resolve to their sources (condition @speedq/source), so tests need no build except for WebAssembly modules.
const conditions = ["@speedq/source"]
const packages = readdirSync("packages").filter((name) => existsSync(`packages/${name}/package.json`))
const project = (name: string, include: string) => ({
  extends: true as const,
  test: { name, include: [include] }
})

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
    projects: [
      ...packages.map((name) => project(`@speedq/${name}`, `packages/${name}/test/**/*.test.ts`)),
      project("repository", "test/**/*.test.ts")
    ]
  }
})
