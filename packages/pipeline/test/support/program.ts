/** Test programs that run as processes of their own, with faults loaded before them. */
import { createHash } from "node:crypto"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { buildSync } from "esbuild"

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** The repository, where programs find its packages. */
export const root = here("../../../..")

const faults = here("../toy/faults.ts")
const cache = join(root, "node_modules/.cache/speedq-test")
const isBuilt = process.env["SPEEDQ_TEST_BUILT"] === "1"

/** Program and faults as JavaScript that imports what the packages have built; kept by what it is, as test processes share it. */
const compiled = (program: string): readonly string[] => {
  const { outputFiles } = buildSync({
    entryPoints: [faults, program],
    outdir: cache,
    entryNames: "[name]",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // Program and faults share one copy of what both import.
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "node",
    logLevel: "error",
    write: false
  })
  const digest = createHash("sha256")
  for (const { contents } of outputFiles) digest.update(contents)
  const directory = join(cache, digest.digest("hex").slice(0, 16))
  if (!existsSync(directory)) {
    mkdirSync(cache, { recursive: true })
    const own = mkdtempSync(`${directory}-`)
    for (const { path, contents } of outputFiles) writeFileSync(join(own, basename(path)), contents)
    // A program may be run as another user.
    chmodSync(own, 0o755)
    try {
      renameSync(own, directory)
    } catch {
      // Another process was first.
      rmSync(own, { recursive: true })
    }
  }
  const outputOf = (file: string): string => join(directory, basename(file).replace(/\.ts$/, ".mjs"))
  return ["--import", outputOf(faults), outputOf(program)]
}

const fromSources = (program: string): readonly string[] => [
  ...["tsx", faults].flatMap((module) => ["--import", module]),
  "-C",
  "@speedq/source",
  program
]

const known = new Map<string, readonly string[]>()

/** What node is given to run a program: what was built under `npm test`, which has just built it and starts sooner; otherwise sources. */
export const programOf = (file: string): readonly string[] => {
  const args = known.get(file) ?? (isBuilt ? compiled(file) : fromSources(file))
  known.set(file, args)
  return args
}
