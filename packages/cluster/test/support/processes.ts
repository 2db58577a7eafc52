/** Runners and coordinators as processes of this host. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import type { RunnerTable } from "@speedq/pipeline"
import { programOf, root } from "../../../pipeline/test/support/program.ts"
import type { Host } from "./network.ts"

export interface Running {
  readonly pid: number
  readonly kill: (signal: NodeJS.Signals) => void
  readonly output: () => string
  /** Resolves when it has said this; rejects when it ended before. */
  readonly said: (what: RegExp) => Promise<void>
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>
}

const running = new Set<ChildProcess>()
/** To be called when the tests are done: no process outlives them. */
export const endProcesses = (): void => {
  for (const child of running) child.kill("SIGKILL")
}

/** How a process is started otherwise than others. */
export interface Circumstances {
  readonly env?: { readonly [name: string]: string }
  /** Directories that it does not see: an empty one is in their place. Needs `canHide`. */
  readonly hidden?: readonly string[]
  /** Where it is, on a network of the tests' own. */
  readonly host?: Pick<Host, "command">
}

const unshare = ["unshare", "--mount", "--map-root-user"]
/** Whether this system lets a process have mounts of its own. */
export const canHide = ((): boolean => {
  const [command = "", ...args] = [...unshare, "sh", "-c", "mount -t tmpfs none /mnt"]
  return spawnSync(command, args, { stdio: "ignore" }).status === 0
})()

/** The command with an empty directory in place of each. It is the process itself that signals go to. */
const hiding = (hidden: readonly string[], command: readonly string[]): readonly string[] => {
  if (hidden.length === 0) return command
  const mounts = hidden.map((each) => `mount -t tmpfs none '${each}' && `).join("")
  return [...unshare, "sh", "-c", `${mounts}exec "$@"`, "sh", ...command]
}

const start = (
  program: string,
  args: readonly string[],
  { env = {}, hidden = [], host = { command: [] } }: Circumstances = {}
): Running => {
  const file = fileURLToPath(new URL(program, import.meta.url))
  const [executable = "", ...others] = [
    ...host.command,
    ...hiding(hidden, [process.execPath, ...programOf(file), ...args])
  ]
  const child = spawn(executable, others, {
    cwd: root,
    // Several of them share the processors.
    env: { ...process.env, SPEEDQ_THREADS: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })
  running.add(child)
  let output = ""
  const listeners = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data: Buffer) => {
      output += data.toString()
      for (const listener of listeners) listener()
    })
  }
  const ended = new Promise<{ readonly code: number | null; readonly output: string }>((resolve) => {
    child.on("close", (code) => {
      running.delete(child)
      resolve({ code, output })
    })
  })
  return {
    pid: child.pid!,
    kill: (signal) => child.kill(signal),
    output: () => output,
    said: (what) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!what.test(output)) return
          listeners.delete(look)
          resolve()
        }
        listeners.add(look)
        ended.then(() => reject(new Error(`it ended and had not said ${what}:\n${output}`)))
        look()
      }),
    ended
  }
}

/** The processes that a process has started, where the system tells. */
export const childrenOf = (pid: number): readonly number[] => {
  const file = `/proc/${pid}/task/${pid}/children`
  return existsSync(file) ? readFileSync(file, "utf8").trim().split(" ").filter(Boolean).map(Number) : []
}

export const startWorker = (cluster: string, backend: string, circumstances?: Circumstances): Running =>
  start("./clusterWorker.ts", [cluster, backend], circumstances)

/** A runner that has joined. */
export const joinedWorker = async (...args: Parameters<typeof startWorker>): Promise<Running> => {
  const worker = startWorker(...args)
  await worker.said(/"Joined"/)
  return worker
}

/** `file` is a recipe or an ablation; `more` shares it also with runners on other backends, or hands files out over HTTP at an address. */
export const startRun = (
  directory: string,
  file: string,
  backend: string,
  cluster?: string,
  more?: "other" | `${string}:${number}`,
  circumstances?: Circumstances
): Running =>
  start(
    "./clusterRun.ts",
    [directory, file, backend, ...[cluster, more].filter((each) => each !== undefined)],
    circumstances
  )

/** A run to its end, which must be a good one. */
export const finishedRun = async (...args: Parameters<typeof startRun>): Promise<string> => {
  const { code, output } = await startRun(...args).ended
  if (code !== 0) throw new Error(`the run ended with ${code}:\n${output}`)
  return output
}

/** Everything that the stages of a run made, by name, in base 64. */
export const madeBy = (directory: string): { readonly [name: string]: string } =>
  Object.fromEntries(
    readdirSync(join(directory, "stages")).flatMap((place) =>
      readdirSync(join(directory, "stages", place))
        .filter((name) => name.endsWith(".safetensors") || name.endsWith(".bin"))
        .map((name) => [`${place}/${name}`, readFileSync(join(directory, "stages", place, name)).toString("base64")])
    )
  )

/** Every file of a run's stages but what tells when and by whom: manifests and events. By name, in base 64. */
export const filesOf = (directory: string): { readonly [name: string]: string } =>
  Object.fromEntries(
    readdirSync(join(directory, "stages"), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.name.startsWith("manifest"))
      .map(({ parentPath, name }) => join(parentPath, name))
      .map((file) => [relative(directory, file), readFileSync(file).toString("base64")])
  )

export const runnersOf = (directory: string): RunnerTable =>
  JSON.parse(readFileSync(join(directory, "runners/runners.json"), "utf8"))
