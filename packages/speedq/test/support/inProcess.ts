/** Runs the command in this process: many command lines in the time that one child process takes to start. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { FindsTimes } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Runtime from "effect/Runtime"
import { assert, vi } from "vitest"
import { runCommandLine } from "../../src/command/speedq.ts"

/** How a command line ended, and what it printed. */
const runNow = async (args: readonly string[]) => {
  const [stdout, stderr] = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, "write").mockReturnValue(true)
  )
  const textOf = (spy: typeof stdout) => spy!.mock.calls.map(([text]) => String(text)).join("")
  try {
    const program = runCommandLine(args).pipe(
      // Where nothing of that is tested, it is not waited for.
      Effect.provideService(FindsTimes, false),
      Effect.provide(NodeServices.layer)
    )
    const result = await Effect.runPromise(Effect.result(program))
    return { result, stdout: textOf(stdout), stderr: textOf(stderr) }
  } finally {
    stdout!.mockRestore()
    stderr!.mockRestore()
  }
}

/** The command line before: one runs at a time, as all print to the same streams. */
let before: Promise<unknown> = Promise.resolve()
const run = (args: readonly string[]): ReturnType<typeof runNow> => {
  const ended = before.then(() => runNow(args))
  before = ended.catch(() => undefined)
  return ended
}

/** How a command line ends: what its process would print, and its exit code. */
export const speedq = async (args: readonly string[]) => {
  const { result, stdout, stderr } = await run(args)
  if (Result.isSuccess(result)) return { code: 0, stdout, stderr }
  const { failure } = result
  return { code: Runtime.getErrorExitCode(failure), stdout, stderr: `${stderr}error: ${failure.message}\n` }
}

/** What a command line prints that works. */
export const works = async (args: readonly string[]) => {
  const { result, ...printed } = await run(args)
  assert.isTrue(Result.isSuccess(result), Result.isFailure(result) ? result.failure.message : "")
  return printed
}

/** The one document of a command line with `--json`. */
export const json = async (args: readonly string[]): Promise<unknown> =>
  JSON.parse((await works([...args, "--json"])).stdout)

/** The failure of a command line that fails, with nothing on standard output. */
export const fails = async (args: readonly string[], exit = 1) => {
  const { result, stdout } = await run(args)
  if (Result.isSuccess(result)) return assert.fail(`it works: ${stdout}`)
  assert.strictEqual(stdout, "")
  assert.strictEqual(Runtime.getErrorExitCode(result.failure), exit)
  return result.failure
}
