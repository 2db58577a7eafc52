/** Runs the command in a child process: what was built under `npm test`, which has just built it and starts sooner; otherwise its sources. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, onTestFinished } from "vitest"

const packageRoot = fileURLToPath(new URL("../../", import.meta.url))
const isBuilt = process.env["SPEEDQ_TEST_BUILT"] === "1"

/** What node is given to run a module of this package, named by its path in `src`. */
const moduleOf = (file: string): readonly string[] =>
  isBuilt
    ? [join(packageRoot, "dist", file.replace(/\.ts$/, ".js"))]
    : ["--import", fileURLToPath(import.meta.resolve("tsx")), "-C", "@speedq/source", join(packageRoot, "src", file)]

/** The repository. */
export const root = fileURLToPath(new URL("../../../../", import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Options {
  /** Default: the repository's root. */
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** What it reads from standard input; nothing by default. */
  readonly stdin?: string
  /** Called whenever standard error grew. */
  readonly onStderr?: (text: string, kill: (signal: NodeJS.Signals) => void) => void
}

/** Starts node, hands the process to `started`, and gives how it ended. */
const start = (
  args: readonly string[],
  { cwd = root, env = {}, stdin, onStderr }: Options,
  started: (child: ChildProcess) => void
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd,
      env: { ...process.env, NO_COLOR: "1", ...env },
      stdio: "pipe"
    })
    started(child)
    child.stdin.end(stdin)
    let [stdout, stderr] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
      onStderr?.(stderr, (signal) => void child.kill(signal))
    })
    child.on("error", reject)
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }))
  })

/** Runs node to its end, or that of the test. */
export const runNode = (args: readonly string[], options: Options = {}): Promise<Ended> =>
  start(args, options, (child) => onTestFinished(() => void child.kill("SIGKILL")))

/** Runs a module of this package. */
export const runSource = (file: string, args: readonly string[], options: Options = {}): Promise<Ended> =>
  runNode([...moduleOf(file), ...args], options)

/** What node is given to be `speedq` with these arguments. */
export const speedqProgram = (args: readonly string[]): readonly string[] => [...moduleOf("bin/main.ts"), ...args]

/** Runs `speedq` as a process. */
export const speedqProcess = (args: readonly string[], options: Options = {}): Promise<Ended> =>
  runSource("bin/main.ts", args, options)

/** Runs `speedq` as a process with `--json` and gives its one document; fails where there is anything else on standard output. */
export const processJson = async (args: readonly string[], options?: Options): Promise<unknown> => {
  const { code, stdout, stderr } = await speedqProcess([...args, "--json"], options)
  assert.strictEqual(code, 0, stderr)
  return JSON.parse(stdout)
}

/** A directory that is removed after the test. */
export const temporaryDirectory = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-cli-"))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
