/** The modules of this repository: sources of packages, what else uses them, and where a specifier leads. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"

export interface Package {
  readonly name: string
  /** Modules that others may import, by specifier. */
  readonly entries: ReadonlyMap<string, string>
}

const modulesBelow = (folder: string): readonly string[] =>
  !existsSync(folder)
    ? []
    : readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((path) => /\.(ts|mjs|js)$/.test(path) && !path.includes("node_modules"))
        .map((path) => join(folder, path))
        .sort()

type Target = string | { readonly [condition: string]: string }

const readPackage = (folder: string): Package => {
  const { name, exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly name: string
    readonly exports: { readonly [subpath: string]: Target }
  }
  const sourceOf = (target: Target) => (typeof target === "string" ? target : target["@speedq/source"])
  const entries = Object.entries(exports).flatMap(([subpath, target]) => {
    const source = sourceOf(target)
    return source?.endsWith(".ts") ? [[join(name, subpath), join(folder, source)] as const] : []
  })
  return { name, entries: new Map(entries) }
}

const folders = readdirSync("packages")
  .map((name) => join("packages", name))
  .filter((folder) => existsSync(join(folder, "src")))

export const packages: readonly Package[] = folders.map(readPackage)

/** Names of the folders of packages. */
export const packageFolders: readonly string[] = folders.map((folder) => basename(folder))

/** Sources of the package in `packages/<folder>`. */
export const sourcesOf = (folder: string): readonly string[] => modulesBelow(join("packages", folder, "src"))

/** Sources whose exports are looked at. */
export const sources: readonly string[] = packageFolders.flatMap(sourcesOf)

/** Everything that may use them and is no test. */
export const users: readonly string[] = [
  ...sources,
  ...folders.flatMap((folder) => ["bin", "scripts"].flatMap((below) => modulesBelow(join(folder, below)))),
  ...["scripts", "bench", "examples", "data/common", "data/micro", "data/nano"].flatMap(modulesBelow)
]

export const tests: readonly string[] = ["test", ...folders.map((folder) => join(folder, "test"))].flatMap(modulesBelow)

const entries = new Map(packages.flatMap((each) => [...each.entries]))

/** What a package has of its own for Node (`#system/NAME`), and the same for pages. */
const system = (file: string, specifier: string): string =>
  join(...file.split("/").slice(0, 2), "src/system/node", `${specifier.slice("#system/".length)}.ts`)

/** The module that takes the place of one for Node in pages; undefined for any other. */
export const browserTwin = (path: string): string | undefined =>
  path.includes("/src/system/node/") ? path.replace("/system/node/", "/system/browser/") : undefined

/** The module of the repository that a specifier in `file` means; undefined for one from elsewhere. */
export const resolveSpecifier = (file: string, specifier: string): string | undefined => {
  if (specifier.startsWith("#system/")) return system(file, specifier)
  if (!specifier.startsWith(".")) return entries.get(specifier)
  const path = join(dirname(file), specifier)
  if (existsSync(path)) return path
  // A program outside of `src` starts what was built of it.
  const source = path.replace("/dist/", "/src/").replace(/\.js$/, ".ts")
  return existsSync(source) ? source : undefined
}

/** All prose that a user reads: README and documentation, as one text. */
export const readDocumentation = (): string => {
  const below = [".", "docs", "examples", "data", ...folders, "data/nano"]
  const files = below.filter(existsSync).flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name))
  )
  return files.map((file) => readFileSync(file, "utf8")).join("\n")
}
