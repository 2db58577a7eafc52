/**
 * Every operation of this process on files, shown to a watcher before it is done and after: for faults, for kills at a chosen
 * operation, and for recordings. Imported before anything that uses `node:fs`, it takes the place of its functions.
 */
import fs, { readdirSync, statSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { dirname, join, resolve } from "node:path"

/** One operation. Writes have their bytes and where in the file they go; `flush` is fsync, of a file or a directory. */
export type Operation =
  | { readonly kind: "create" | "empty" | "remove" | "makeDirectory" | "flush"; readonly path: string }
  | { readonly kind: "write"; readonly path: string; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: "rename" | "link"; readonly path: string; readonly to: string }
  | { readonly kind: "cut"; readonly path: string; readonly length: number }
  | { readonly kind: "open" | "read" | "list"; readonly path: string }

/** What does not change the file system. */
export const isReading = ({ kind }: Operation): boolean => kind === "open" || kind === "read" || kind === "list"

export interface Watcher {
  /** May fail an operation with a code of the system, or let a write take only its first `bytes` bytes. */
  readonly before?: (operation: Operation) => { readonly code: string } | { readonly bytes: number } | undefined
  /** After it was done. What removes or makes several files at once is told one by one. */
  readonly after?: (operation: Operation) => void
}

let watcher: Watcher = {}
/** From now on `next` sees every operation. */
export const watch = (next: Watcher): void => {
  watcher = next
}

type Arguments = Array<unknown>
type Callback = (error: unknown, ...results: Arguments) => void
/** Functions of a module, or methods of one object. */
type Methods = { [name: string]: (...args: Arguments) => unknown }

/** A call that is understood: what it does, the bytes in its arguments, and what to note when it is done. */
interface Understood {
  readonly operations: readonly Operation[]
  /** Which argument has the bytes of a write. */
  readonly bytesAt?: number
  readonly done?: (result: unknown) => void
}
type Understand = (args: Arguments, self: unknown) => Understood

const refusal = (code: string, { kind, path }: Operation) =>
  Object.assign(new Error(`${code}: injected, ${kind} '${path}'`), { code, errno: -1, syscall: kind, path })

/** Asks the watcher; gives the arguments to go on with, or throws. */
const allowed = (
  args: Arguments,
  { operations, bytesAt }: Understood
): { args: Arguments; done: readonly Operation[] } => {
  const done: Operation[] = []
  for (const operation of operations) {
    const verdict = watcher.before?.(operation)
    if (verdict !== undefined && "code" in verdict) throw refusal(verdict.code, operation)
    if (verdict === undefined || operation.kind !== "write" || bytesAt === undefined) {
      done.push(operation)
      continue
    }
    const bytes = operation.bytes.subarray(0, verdict.bytes)
    args = args.with(bytesAt, bytes)
    // Where they begin and how many they are, if that is given.
    if (typeof args[bytesAt + 1] === "number") args = args.with(bytesAt + 1, 0)
    if (typeof args[bytesAt + 2] === "number") args = args.with(bytesAt + 2, bytes.length)
    done.push({ ...operation, bytes })
  }
  return { args, done }
}

const finished = (operations: readonly Operation[], understood: Understood, result: unknown) => {
  understood.done?.(result)
  for (const operation of operations) watcher.after?.(operation)
}

type Style = "callback" | "promise" | "sync"

const replace = (target: Methods, style: Style, name: string, understand: Understand) => {
  const original = target[name]!
  const replaced = function (this: unknown, ...given: Arguments): unknown {
    const understood = understand(given, this)
    if (style === "sync") {
      const { args, done } = allowed(given, understood)
      const result = original.apply(this, args)
      finished(done, understood, result)
      return result
    }
    if (style === "promise") {
      return (async () => {
        const { args, done } = allowed(given, understood)
        const result = await original.apply(this, args)
        finished(done, understood, result)
        return result
      })()
    }
    const callback = given.at(-1) as Callback
    try {
      const { args, done } = allowed(given, understood)
      return original.apply(
        this,
        args.with(-1, (error: unknown, ...results: Arguments) => {
          if (!error) finished(done, understood, results[0])
          callback(error, ...results)
        })
      )
    } catch (error) {
      return setImmediate(callback, error)
    }
  }
  target[name] = replaced
}

/** Where open files are, and how far they are written. */
const open = new Map<number, { readonly path: string; readonly appends: boolean; at: number }>()
const sizeOf = (path: string): number => {
  try {
    return statSync(path).size
  } catch {
    return 0
  }
}
const isThere = (path: string): boolean => {
  try {
    statSync(path)
    return true
  } catch {
    return false
  }
}

const opening: Understand = ([given, flags = "r"]) => {
  const path = resolve(String(given))
  const flag = String(flags)
  const there = isThere(path)
  const operations: Operation[] = [{ kind: "open", path }]
  if (/^[wa]/.test(flag) && !there) operations.push({ kind: "create", path })
  else if (flag.startsWith("w")) operations.push({ kind: "empty", path })
  const done = (result: unknown) => {
    if (typeof result !== "number") replaceHandles(result as object)
    const descriptor = typeof result === "number" ? result : (result as { readonly fd: number }).fd
    open.set(descriptor, { path, appends: flag.startsWith("a"), at: 0 })
  }
  return { operations, done }
}

const descriptorOf = (args: Arguments, self: unknown) =>
  typeof args[0] === "number" ? args[0] : (self as { readonly fd: number }).fd

const writing =
  (bytesAt: number): Understand =>
  (args, self) => {
    const file = open.get(descriptorOf(bytesAt === 0 ? [] : args, self))
    const source = args[bytesAt] as Uint8Array
    if (file === undefined || !ArrayBuffer.isView(source)) return { operations: [] }
    const offset = typeof args[bytesAt + 1] === "number" ? (args[bytesAt + 1] as number) : 0
    const length = typeof args[bytesAt + 2] === "number" ? (args[bytesAt + 2] as number) : source.byteLength - offset
    const given = args[bytesAt + 3]
    const at = file.appends ? sizeOf(file.path) : typeof given === "number" ? given : file.at
    // A copy: the recording must not change with the buffer.
    const bytes = Uint8Array.from(source.subarray(offset, offset + length))
    const done = (result: unknown) => {
      const written = typeof result === "number" ? result : (result as { readonly bytesWritten: number }).bytesWritten
      if (typeof given !== "number") file.at = at + written
    }
    return { operations: [{ kind: "write", path: file.path, at, bytes }], bytesAt, done }
  }

/** What is done to an open file, whose descriptor comes first or is the handle's. */
const openFile =
  (kind: "flush" | "read"): Understand =>
  (args, self) => {
    const file = open.get(descriptorOf(args, self))
    return { operations: file === undefined ? [] : [{ kind, path: file.path }] }
  }

/** What names a file. */
const named =
  (kind: "read" | "list"): Understand =>
  ([given]) => ({ operations: typeof given === "number" ? [] : [{ kind, path: resolve(String(given)) }] })

const moving =
  (kind: "rename" | "link"): Understand =>
  ([from, to]) => ({ operations: [{ kind, path: resolve(String(from)), to: resolve(String(to)) }] })

const cutting: Understand = ([given, length = 0]) => ({
  operations: [{ kind: "cut", path: resolve(String(given)), length: Number(length) }]
})

const making: Understand = ([given, options]) => {
  const path = resolve(String(given))
  const missing: string[] = []
  const recursive = (options as { readonly recursive?: boolean } | undefined)?.recursive === true
  for (let each = path; !isThere(each); each = dirname(each)) {
    missing.unshift(each)
    if (!recursive) break
  }
  return { operations: missing.map((each) => ({ kind: "makeDirectory", path: each })) }
}

/** A file, or all that is in a directory and then itself. */
const treeOf = (path: string): readonly string[] => {
  const below = statSync(path).isDirectory() ? readdirSync(path) : []
  return [...below.flatMap((name) => treeOf(join(path, name))), path]
}

const removing: Understand = ([given]) => {
  const path = resolve(String(given))
  const tree = isThere(path) ? treeOf(path) : []
  return { operations: tree.map((each) => ({ kind: "remove", path: each })) }
}

const plain = fs as unknown as Methods
const promises = fs.promises as unknown as Methods

replace(plain, "callback", "open", opening)
replace(plain, "sync", "openSync", opening)
replace(promises, "promise", "open", opening)
replace(plain, "callback", "write", writing(1))
replace(plain, "sync", "writeSync", writing(1))
replace(plain, "callback", "fsync", openFile("flush"))
replace(plain, "callback", "read", openFile("read"))
replace(plain, "sync", "readSync", openFile("read"))
replace(plain, "callback", "readFile", named("read"))
replace(plain, "sync", "readFileSync", named("read"))
replace(promises, "promise", "readFile", named("read"))
replace(promises, "promise", "readdir", named("list"))
replace(plain, "callback", "truncate", cutting)
for (const [style, target, suffix] of [
  ["callback", plain, ""],
  ["sync", plain, "Sync"],
  ["promise", promises, ""]
] as const) {
  replace(target, style, `rename${suffix}`, moving("rename"))
  replace(target, style, `link${suffix}`, moving("link"))
  replace(target, style, `mkdir${suffix}`, making)
  replace(target, style, `rm${suffix}`, removing)
}

// What Node does in one call of its own is done by those above, piece by piece.
interface Handle {
  readonly write: (bytes: Uint8Array) => Promise<{ readonly bytesWritten: number }>
  readonly close: () => Promise<void>
}
const writeAll = async (handle: Handle, data: unknown) => {
  let rest = typeof data === "string" ? new TextEncoder().encode(data) : (data as Uint8Array)
  while (rest.length > 0) rest = rest.subarray((await handle.write(rest)).bytesWritten)
}
const writeFile = async (path: string, data: unknown, options?: { readonly flag?: string } | string) => {
  const flag = typeof options === "object" ? (options.flag ?? "w") : "w"
  const handle = (await promises.open!(path, flag)) as Handle
  try {
    await writeAll(handle, data)
  } finally {
    await handle.close()
  }
}

let handles: Methods | undefined
/** Methods of file handles, which Node shows only on a handle. */
function replaceHandles(handle: object): void {
  if (handles !== undefined) return
  handles = Object.getPrototypeOf(handle) as Methods
  replace(handles, "promise", "write", writing(0))
  replace(handles, "promise", "sync", openFile("flush"))
  replace(handles, "promise", "read", openFile("read"))
  handles.appendFile = function (this: unknown, data) {
    return writeAll(this as Handle, data)
  }
  handles.writeFile = handles.appendFile
}

promises.writeFile = (path, data, options) => writeFile(path as string, data, options as string)
plain.writeFile = (path, data, options, callback) =>
  void writeFile(path as string, data, options as string).then(() => (callback as Callback)(null), callback as Callback)

syncBuiltinESMExports()
