/**
 * Imports a module that a person named: a plugin, or a recipe in code. JavaScript, and TypeScript whose types Node strips itself
 * where it can (22.18, 23.6 and later); jiti reads what Node does not.
 */
import { extname, resolve } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { FileFailed, readTextSync } from "@speedq/formats"
import { withoutMain } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { ModuleUnreadable } from "./ModuleUnreadable.ts"
import { otherCopies } from "./otherCopies.ts"

/** What a module exports, by name. */
export type ModuleExports = { readonly [name: string]: unknown }

/** For a module that lacks what is looked for: "it exports a, b". */
export const whatIsExported = (exports: ModuleExports): string => {
  const names = Object.keys(exports)
  return names.length === 0 ? "it exports nothing" : `it exports ${names.join(", ")}`
}

const endings = [".ts", ".mts", ".js", ".mjs"]

/** Whether a path is one that `importModule` takes. */
export const isModulePath = (file: string): boolean => endings.includes(extname(file))

const frame = /^\s+at (?:.*\(|async )?(?:file:\/\/)?((?:\/|[A-Za-z]:[\\/]).+:\d+:\d+)\)?$/gm
/** This file and jiti, which stand in the stack of what they refuse. */
const isReader = (place: string): boolean =>
  place.startsWith(fileURLToPath(import.meta.url)) || /[\\/]node_modules[\\/]jiti[\\/]/.test(place)

/** Where code of a person's modules threw an error, `FILE:LINE:COLUMN`; undefined where none did, as of one that has not run. */
const thrownAt = ({ stack = "" }: Error): string | undefined =>
  [...stack.matchAll(frame)].map(([, place]) => place!).find((place) => !isReader(place))

/** Whether a text is no JavaScript. `JSON.parse` and `new RegExp` throw errors of this class too, but from code that runs. */
const isSyntax = (error: unknown): boolean =>
  error instanceof Error && error.name === "SyntaxError" && thrownAt(error) === undefined

/** Whether Node refused the text of a module. Nothing of it has run then, so another reader may try. */
const isRefused = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException
  return (
    isSyntax(error) || code === "ERR_UNKNOWN_FILE_EXTENSION" || code === "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING"
  )
}

const importByNode = (path: string): Promise<ModuleExports> => import(/* @vite-ignore */ pathToFileURL(path).href)

/** Errors of modules that jiti compiled: it keeps their lines, but not the columns in them. */
const compiled = new WeakSet<Error>()

/** Packages that the module imports are those that Node would give it: jiti compiles TypeScript alone. */
const importByJiti = async (path: string): Promise<ModuleExports> => {
  const { createJiti } = await import("jiti")
  try {
    return await createJiti(import.meta.url, { fsCache: false, interopDefault: false }).import(path)
  } catch (error) {
    if (error instanceof Error) compiled.add(error)
    throw error
  }
}

const importPath = async (path: string): Promise<ModuleExports> => {
  try {
    return await importByNode(path)
  } catch (error) {
    if (!isRefused(error)) throw error
    return await importByJiti(path)
  }
}

const isParseError = (error: Error): boolean =>
  isSyntax(error) || error.message.startsWith("ParseError: ") || error.message.startsWith("Transform failed")

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
  if (isParseError(error)) {
    return new ModuleUnreadable({ file, reason: `it is not valid: ${said}`, fix: "correct the syntax" })
  }
  const place = thrownAt(error)
  const told = compiled.has(error) ? place?.replace(/:\d+$/, "") : place
  const where = told === undefined ? "" : ` at ${told}`
  return new ModuleUnreadable({ file, reason: `it throws "${said}"${where}`, fix: "correct it" })
}

/** The text of the module, which is also the check that it is there. */
const textOf = (file: string, path: string) =>
  Effect.try({
    try: () => readTextSync(path),
    catch: (error) => {
      if (!(error instanceof FileFailed)) throw error
      const reason = error.code === "ENOENT" ? "there is no such file" : error.reason
      return new ModuleUnreadable({ file, reason, fix: "paths are relative to the current directory" })
    }
  })

/**
 * Everything that the module at `file`, relative to the current directory, exports. Runs its code, but not what it gives to
 * `Run.main`. Fails with ModuleUnreadable.
 */
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
  return yield* Effect.tryPromise({
    try: () => withoutMain(() => importPath(path)),
    catch: (error) => unreadable(file, error)
  })
})
