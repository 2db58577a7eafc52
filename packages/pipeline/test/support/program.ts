/** Test programs that run as processes of their own, with faults loaded before them. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { buildSync } from "esbuild"

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** The repository, where programs find its packages. */
export const root = here("../../../..")

const faults = here("../toy/faults.ts")
const isBuilt = process.env["SPEEDQ_TEST_BUILT"] === "1"

/** Program and faults as JavaScript that imports what the packages have built; removed when this process ends. */
const compiled = (program: string): readonly string[] => {
  const cache = join(root, "node_modules/.cache")
  mkdirSync(cache, { recursive: true })
  const outdir = mkdtempSync(join(cache, "speedq-test-"))
  // A program may be run as another user.
  chmodSync(outdir, 0o755)
  process.on("exit", () => rmSync(outdir, { recursive: true, force: true }))
  buildSync({
    entryPoints: [faults, program],
    outdir,
    entryNames: "[name]",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // Program and faults share one copy of what both import.
    splitting: true,
    packages: "external",
    format: "esm",
    platform: "node",
    logLevel: "error"
  })
  const outputOf = (file: string): string => join(outdir, basename(file).replace(/\.ts$/, ".mjs"))
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
