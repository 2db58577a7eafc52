/** What tells a person's module from another one: the text of its file and of those that it imports by relative paths. */
import { createHash } from "node:crypto"
import { dirname, relative, resolve } from "node:path"
import { FileFailed, readTextSync } from "@speedq/formats"

/** `from "./x"`, `import "./x"`, `import("./x")`: what else looks like it only makes more of a digest. */
const relativeImports = /\b(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"']+)["']/g

/** The files that an import may mean, the likeliest first: TypeScript is imported under the name of its JavaScript, too. */
const candidates = (path: string): readonly string[] => [
  path,
  path.replace(/\.(m?)js$/, ".$1ts"),
  `${path}.ts`,
  `${path}.js`
]

const textOf = (path: string): string | undefined => {
  try {
    return readTextSync(path)
  } catch (error) {
    if (error instanceof FileFailed) return undefined
    throw error
  }
}

/** Files of the module by their paths, each once. Packages are not followed. */
const filesOf = (path: string, found: Map<string, string>): Map<string, string> => {
  if (found.has(path)) return found
  const text = textOf(path)
  if (text === undefined) return found
  found.set(path, text)
  for (const [, specifier] of text.matchAll(relativeImports)) {
    const wanted = candidates(resolve(dirname(path), specifier!)).find(
      (each) => found.has(each) || textOf(each) !== undefined
    )
    if (wanted !== undefined) filesOf(wanted, found)
  }
  return found
}

/** Eight hexadecimal digits, the same wherever the module lies. */
export const moduleDigest = (file: string): string => {
  const path = resolve(file)
  const hash = createHash("sha256")
  for (const [each, text] of filesOf(path, new Map())) {
    hash.update(JSON.stringify([relative(dirname(path), each).replaceAll("\\", "/"), text]))
  }
  return hash.digest("hex").slice(0, 8)
}
