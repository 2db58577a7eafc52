/** Optional npm packages, as Node finds them beside this one. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"

const require = createRequire(import.meta.url)

/** Loads a package. Throws where it is not there, and what it throws. */
export const requirePackage = (name: string): unknown => require(name)

export const isInstalled = (name: string): boolean => {
  try {
    require.resolve(name)
    return true
  } catch {
    return false
  }
}

/** Versions of other packages that this one is made for and tested with. */
export const peerVersions = (): { readonly [name: string]: string | undefined } => {
  const manifest = readFileSync(new URL("../../../package.json", import.meta.url), "utf8")
  return (JSON.parse(manifest) as { readonly peerDependencies: { readonly [name: string]: string } }).peerDependencies
}
