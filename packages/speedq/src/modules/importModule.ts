/**
 * Imports a module that a person named: a plugin, or a recipe in code. JavaScript, and TypeScript whose types Node strips itself
 * where it can (22.18, 23.6 and later); jiti reads what Node does not.
 */
import { readFileSync } from "node:fs"
import { extname, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import { ModuleUnreadable } from "./ModuleUnreadable.ts"
import { otherCopies } from "./otherCopies.ts"

/** What a module exports, by name. */
export type ModuleExports = { readonly [name: string]: unknown }

const endings = [".ts", ".mts", ".js", ".mjs"]

/** Whether a path is one that `importModule` takes. */
export const isModulePath = (file: string): boolean => endings.includes(extname(file))

/** Whether Node refused the text of a module. Nothing of it has run then, so another reader may try. */
const isRefused = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException
  return (
    error instanceof SyntaxError ||
    code === "ERR_UNKNOWN_FILE_EXTENSION" ||
    code === "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING"
  )
}

const importByNode = (path: string): Promise<ModuleExports> => import(/* @vite-ignore */ pathToFileURL(path).href)

/** Packages that the module imports are those that Node would give it: jiti compiles TypeScript alone. */
const importByJiti = async (path: string): Promise<ModuleExports> => {
  const { createJiti } = await import("jiti")
  return createJiti(import.meta.url, { fsCache: false, interopDefault: false }).import(path)
}

const importPath = async (path: string): Promise<ModuleExports> => {
  try {
    return await importByNode(path)
  } catch (error) {
    if (!isRefused(error)) throw error
    return await importByJiti(path)
  }
}

/** ` at FILE:LINE:COLUMN` where an error was thrown, by the first line of its stack that names a place. */
const thrownAt = ({ stack = "" }: Error): string => {
  const [, place] = /\n\s+at (?:.*\()?(?:file:\/\/)?(\/[^\s()]+:\d+:\d+|[A-Za-z]:[^\s()]+:\d+:\d+)/.exec(stack) ?? []
  return place === undefined ? "" : ` at ${place}`
}

const isParseError = ({ name, message }: Error): boolean =>
  name === "SyntaxError" || message.startsWith("ParseError: ") || message.startsWith("Transform failed")

const unreadable = (file: string, error: unknown): ModuleUnreadable => {
  if (!(error instanceof Error)) {
    return new ModuleUnreadable({ file, reason: `it throws ${String(error)}`, fix: "correct it" })
  }
  const said = error.message.split("\nRequire stack:")[0]!.replaceAll(/\s+/g, " ").trim()
  const { code } = error as NodeJS.ErrnoException
  if (code === "MODULE_NOT_FOUND" || code === "ERR_MODULE_NOT_FOUND") {
    return new ModuleUnreadable({
      file,
      reason: said,
      fix: "correct the import, or install the package where the file is"
    })
  }
  return isParseError(error)
    ? new ModuleUnreadable({ file, reason: `it is not valid: ${said}`, fix: "correct the syntax" })
    : new ModuleUnreadable({ file, reason: `it throws "${said}"${thrownAt(error)}`, fix: "correct it" })
}

/** The text of the module, which is also the check that it is there. */
const textOf = (file: string, path: string) =>
  Effect.try({
    try: () => readFileSync(path, "utf8"),
    catch: (error) => {
      const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT"
      const reason = isMissing ? "there is no such file" : (error as Error).message
      return new ModuleUnreadable({ file, reason, fix: "paths are relative to the current directory" })
    }
  })

/** Everything that the module at `file`, relative to the current directory, exports. Runs its code. Fails with ModuleUnreadable. */
export const importModule = Effect.fn("importModule")(function* (file: string) {
  if (!isModulePath(file)) {
    const reason = `"${extname(file)}" is not the ending of a module`
    return yield* new ModuleUnreadable({ file, reason, fix: `give a file that ends in ${endings.join(", ")}` })
  }
  const path = resolve(file)
  const [other] = otherCopies(path, yield* textOf(file, path))
  if (other !== undefined) {
    const reason = `it imports another copy of ${other.name} (${other.theirs}) than this program has (${other.ours})`
    const fix = `install "speedq" where the file is, and run "npx speedq" there`
    return yield* new ModuleUnreadable({ file, reason, fix })
  }
  return yield* Effect.tryPromise({ try: () => importPath(path), catch: (error) => unreadable(file, error) })
})
