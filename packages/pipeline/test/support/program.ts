/** Test programs that run as processes of their own, with faults loaded before them. */
import { createHash } from "node:crypto"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { fileURLToPath } from "node:url"
import { buildSync } from "esbuild"

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url))

/** The repository, where programs find its packages. */
export const root = here("../../../..")

const faults = here("../toy/faults.ts")
const cache = join(root, "node_modules/.cache/speedq-test")
const isBuilt = process.env["SPEEDQ_TEST_BUILT"] === "1"

/** A bundle is as deep as the engine's own modules, which find their package.json two directories up. */
const bundlePlace = "src/bundle"

/** Packages that are loaded at run time where they are installed. */
const native = ["koffi", "sharp", "gpu.js", "webgpu"]
/** CommonJS packages in a bundle ask for Node's modules by a `require` that modules do not have. */
const requiring = `import { createRequire as toRequire } from "node:module"; const require = toRequire(import.meta.url);`

/**
 * Program and faults as JavaScript, kept by what it is, as test processes share it. It imports what the packages have built, or is
 * one bundle of their sources.
 */
const compiled = (program: string, bundled: boolean): readonly string[] => {
  const { outputFiles } = buildSync({
    entryPoints: [faults, program],
    outdir: cache,
    entryNames: "[name]",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    // Program and faults share one copy of what both import.
    splitting: true,
    ...(bundled
      ? { conditions: ["@speedq/source"], external: native, banner: { js: requiring } }
      : { packages: "external" as const }),
    format: "esm",
    platform: "node",
    logLevel: "error",
    write: false
  })
  // Beside a package.json of the engine what imports @speedq/pipeline would find that directory.
  const place = bundled ? bundlePlace : "."
  const digest = createHash("sha256").update(place)
  for (const { contents } of outputFiles) digest.update(contents)
  const directory = join(cache, digest.digest("hex").slice(0, 16))
  if (!existsSync(directory)) {
    mkdirSync(cache, { recursive: true })
    const own = mkdtempSync(`${directory}-`)
    mkdirSync(join(own, place), { recursive: true })
    if (bundled) writeFileSync(join(own, "package.json"), readFileSync(here("../../package.json")))
    for (const { path, contents } of outputFiles) writeFileSync(join(own, place, basename(path)), contents)
    // A program may be run as another user.
    chmodSync(own, 0o755)
    try {
      renameSync(own, directory)
    } catch {
      // Another process was first.
      rmSync(own, { recursive: true })
    }
  }
  const outputOf = (file: string): string => join(directory, place, basename(file).replace(/\.ts$/, ".mjs"))
  return ["--import", outputOf(faults), outputOf(program)]
}

const fromSources = (program: string): readonly string[] => [
  ...["tsx", faults].flatMap((module) => ["--import", module]),
  "-C",
  "@speedq/source",
  program
]

const known = new Map<string, readonly string[]>()
const remembered = (file: string, make: () => readonly string[]): readonly string[] => {
  const args = known.get(file) ?? make()
  known.set(file, args)
  return args
}

/** What node is given to run a program: what was built under `npm test`, which has just built it and starts sooner; otherwise sources. */
export const programOf = (file: string): readonly string[] =>
  remembered(file, () => (isBuilt ? compiled(file, false) : fromSources(file)))

/** The same for a program of the engine alone, which has no files beside its code: as a bundle it starts in a third of the time. */
export const bundleOf = (file: string): readonly string[] => remembered(file, () => compiled(file, true))
