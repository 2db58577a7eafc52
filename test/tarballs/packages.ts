/** The packages as npm packs them, and directories of users who install them. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { execute } from "./processes.ts"

export interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly license: string
  readonly description: string
  readonly repository: { readonly url: string; readonly directory: string }
  /** A module with its types, or a file as it is. */
  readonly exports: { readonly [subpath: string]: { readonly types: string; readonly default: string } | string }
  readonly bin?: { readonly [name: string]: string }
  readonly peerDependencies?: { readonly [name: string]: string }
}

export interface Packed {
  readonly folder: string
  readonly manifest: Manifest
  readonly tarball: string
  /** Paths inside the tarball. */
  readonly files: readonly string[]
}

interface NpmPacked {
  readonly name: string
  readonly filename: string
  readonly files: ReadonlyArray<{ readonly path: string }>
}

const readManifest = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"))

/** Packs all packages into `directory`. */
export const packAll = async (directory: string): Promise<readonly Packed[]> => {
  const folders = readdirSync("packages").map((name) => join("packages", name))
  const each = folders.flatMap((folder) => ["-w", folder])
  const { stdout } = await execute("npm", ["pack", ...each, "--pack-destination", directory, "--json"], ".")
  const packed = JSON.parse(stdout) as readonly NpmPacked[]
  return folders.map((folder) => {
    const manifest = readManifest(folder)
    const one = packed.find((each) => each.name === manifest.name)
    if (one === undefined) throw new Error(`${manifest.name} was not packed`)
    return { folder, manifest, tarball: join(directory, one.filename), files: one.files.map(({ path }) => path) }
  })
}

/** Makes `directory` a new project and installs into it; what is not a tarball comes from npm's cache where that has it. */
export const install = async (directory: string, wanted: readonly string[]): Promise<void> => {
  mkdirSync(directory)
  writeFileSync(join(directory, "package.json"), JSON.stringify({ private: true, type: "module" }))
  const quiet = ["--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
  await execute("npm", ["install", ...quiet, ...wanted], directory)
}

/** Bytes of the files below a directory. */
export const bytesBelow = async (directory: string): Promise<number> => {
  const { stdout } = await execute("du", ["-sk", directory], ".")
  return Number.parseInt(stdout, 10) * 1024
}
