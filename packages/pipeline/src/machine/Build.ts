/**
 * Which build of this program computes. It is no part of a key: another build of the same versions continues, and says so. In a
 * clone the version stands still while the code moves, so the digest of the code is a part of the build there.
 */
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Context from "effect/Context"

const { version }: { readonly version: string } = createRequire(import.meta.url)("../../package.json")

/** This package's `src` or `dist`, whichever runs. */
const running = fileURLToPath(new URL("..", import.meta.url))
const packages = join(running, "..", "..")

/** Code of all packages beside this one, in the form that runs; none where this is an installed package. */
const codeFiles = (): readonly string[] => {
  if (!existsSync(join(packages, "..", ".git"))) return []
  return readdirSync(packages)
    .map((name) => join(packages, name, basename(running)))
    .filter(existsSync)
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((name) => /\.(ts|js|mjs|wasm)$/.test(name) && !name.endsWith(".d.ts"))
        .map((name) => join(folder, name))
    )
    .sort()
}

const digest = (): string => {
  const files = codeFiles()
  if (files.length === 0) return ""
  const hash = createHash("sha256")
  for (const file of files) hash.update(file.slice(packages.length)).update(readFileSync(file))
  return ` (${hash.digest("hex").slice(0, 8)})`
}

/** In words, for records and messages. A reference, so that tests can replace it. */
export const Build = Context.Reference<string>("@speedq/pipeline/Build", {
  defaultValue: () => `speedq ${version}${digest()}, Node ${process.versions.node}`
})
