/**
 * Runs a program as the process: a signal interrupts it once and kills it the second time, a closed pipe or terminal interrupts it,
 * failures are one message, exit codes are fixed.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import { eraseLiveLines } from "../events/sinks/liveLines.ts"
import { hasColors } from "../events/sinks/Output.ts"
import { describeFailure } from "./describeFailure.ts"

// SIGHUP: the terminal was closed, or the connection to it lost.
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const
const streams = [process.stdout, process.stderr]
/** Longer than a program takes that has nothing to save. */
const patienceMilliseconds = 300
/** What is left over when a program is done, as a connection to a machine that no longer answers, keeps the process for so long at most. */
const leftOverMilliseconds = 5000
const sayWaiting = () => {
  eraseLiveLines()
  process.stderr.write("finishing what was begun, and saving what a run has; once more to quit at once\n")
}
/** Nobody reads any more: the other end of a pipe was closed (EPIPE), or the terminal (EIO). */
const isClosed = ({ code }: NodeJS.ErrnoException): boolean => code === "EPIPE" || code === "EIO"

/** Exit codes: 0 done, 1 failed, 130 interrupted and saved; an error may carry another one (`Runtime.errorExitCode`). */
const run = Runtime.makeRunMain(({ fiber, teardown }) => {
  let interrupted = false
  const interrupt = () => {
    interrupted = true
    fiber.interruptUnsafe(fiber.id)
  }
  const onSignal = () => {
    if (interrupted) {
      eraseLiveLines()
      process.exit(130)
    }
    interrupt()
    // Most programs have ended before this is worth saying.
    setTimeout(sayWaiting, patienceMilliseconds).unref()
  }
  // It comes again with each further write.
  const onStreamError = (error: NodeJS.ErrnoException) => {
    if (!isClosed(error)) fiber.getRef(InterruptionFailure).error ??= error
    if (!interrupted) interrupt()
  }
  for (const signal of signals) process.on(signal, onSignal)
  for (const stream of streams) stream.on("error", onStreamError)
  fiber.addObserver((exit) => {
    for (const signal of signals) process.off(signal, onSignal)
    teardown(exit, (code) => {
      // Nothing may outlive the program: a worker or a timer left over must not keep the process.
      if (interrupted || Exit.isFailure(exit)) process.exit(code)
      process.exitCode = code
      setTimeout(() => process.exit(code), leftOverMilliseconds).unref()
    })
  })
})

/**
 * What failed while a program stopped for an interruption, such as its last save. An interrupted fiber ends with nothing but its
 * interruption, so this is where the failure is kept until the process ends.
 */
export const InterruptionFailure = Context.Reference<{ error: unknown }>("@speedq/pipeline/InterruptionFailure", {
  defaultValue: () => ({ error: undefined })
})

/** Imports of modules that are under way, of which only the exports are wanted. */
let readings = 0

/** Does `work`, which imports a module for what it exports: `runMain` in that module runs nothing meanwhile. */
export const withoutMain = async <A>(work: () => Promise<A>): Promise<A> => {
  readings++
  try {
    return await work()
  } finally {
    readings--
  }
}

/**
 * Runs `program` as the process. With `debug` a failure is printed with its stack and causes. Runs nothing in a module that the
 * command imports, as `speedq plan recipe.ts` does: the command wants its exports.
 */
export const runMain = <A, E>(program: Effect.Effect<A, E>, options: { readonly debug?: boolean } = {}): void => {
  if (readings > 0) return
  const failure: { error: unknown } = { error: undefined }
  run(Effect.provideService(program, InterruptionFailure, failure), {
    disableErrorReporting: true,
    teardown: (exit, done) => {
      const ended: Exit.Exit<unknown, unknown> = failure.error === undefined ? exit : Exit.fail(failure.error)
      if (Exit.isFailure(ended) && !Cause.hasInterruptsOnly(ended.cause)) {
        process.stderr.write(`${describeFailure(ended.cause, options.debug ?? false, hasColors(process.stderr))}\n`)
      }
      Runtime.defaultTeardown(ended, done)
    }
  })
}
