import { existsSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { defineConfig } from "vitest/config"

/** What vitest 5 prints failures with; Node 20 does not have it. */
const groupBy = <K, T>(items: Iterable<T>, keyOf: (item: T, index: number) => K): Map<K, T[]> => {
  const groups = new Map<K, T[]>()
  let index = 0
  for (const item of items) {
    const key = keyOf(item, index++)
    groups.set(key, [...(groups.get(key) ?? []), item])
  }
  return groups
}
const map: typeof Map & { groupBy?: typeof groupBy } = Map
map.groupBy ??= groupBy

// Packages resolve to their sources (condition @speedq/source), so tests need no build except for WebAssembly modules.
const conditions = ["@speedq/source"]
const folder = fileURLToPath(new URL("./packages", import.meta.url))
const packages = readdirSync(folder).filter((name) => existsSync(`${folder}/${name}/package.json`))
const nameOf = (folderName: string): string =>
  (JSON.parse(readFileSync(`${folder}/${folderName}/package.json`, "utf8")) as { readonly name: string }).name
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
      ...packages.map((name) => project(nameOf(name), `packages/${name}/test/**/*.test.ts`)),
      project("repository", "test/**/*.test.ts")
    ]
  }
})
