/** Optional npm packages: a page has what was bundled with it, and none is added later. */

/** Throws: nothing is loaded by name in a page. */
export const requirePackage = (name: string): never => {
  throw new Error(`a page cannot load the package ${name}`)
}

export const isInstalled = (_name: string): boolean => false

export const peerVersions = (): { readonly [name: string]: string | undefined } => ({})
