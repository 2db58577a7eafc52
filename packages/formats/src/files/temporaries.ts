/**
 * Names that files and directories have on the way to their own. Such a name tells who writes it: `.model.safetensors.4711-0-12.tmp` is of
 * process 4711, thread 0.
 */
import { readdir } from "node:fs/promises"
import { basename, dirname, join, resolve } from "node:path"
import { threadId } from "node:worker_threads"

let made = 0
/** Those that this thread still writes. A restarted container may give the number of a killed process again, to this one. */
const own = new Set<string>()

const prefixOf = (path: string): string => `.${basename(path)}.`

/** A name beside `path` that nobody has; `forgetTemporary` says that it is no longer written. */
export const nextTemporary = (path: string): string => {
  const temporary = join(dirname(path), `${prefixOf(path)}${process.pid}-${threadId}-${made++}.tmp`)
  own.add(resolve(temporary))
  return temporary
}

export const forgetTemporary = (temporary: string): void => {
  own.delete(resolve(temporary))
}

/** What killed writers of `path` left beside it. Rejects with the errors of node:fs. */
export const leftoversOf = async (path: string): Promise<ReadonlyArray<string>> => {
  const prefix = prefixOf(path)
  const names = (await readdir(dirname(path))).filter((name) => name.startsWith(prefix))
  return names.flatMap((name) => {
    const [, pid = "", thread = ""] = /^(\d+)-(\d+)-\d+\.tmp$/.exec(name.slice(prefix.length)) ?? []
    const file = join(dirname(path), name)
    return pid === "" || isWritten(file, Number(pid), Number(thread)) ? [] : [file]
  })
}

const isWritten = (file: string, pid: number, thread: number): boolean =>
  pid === process.pid && thread === threadId ? own.has(resolve(file)) : isRunning(pid)

// Signal 0 only asks: ESRCH means that there is no such process.
const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH")
  }
}
