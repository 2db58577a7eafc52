/** How a program that failed says so on a terminal. */
import { fixFor, printable } from "@speedq/formats"
import * as Cause from "effect/Cause"
import { colored } from "../events/sinks/Output.ts"
import { isRaised } from "./raised.ts"

/**
 * A failure is its message, as is what was raised on purpose, and what the system refuses while parts of the program are loaded. Any
 * other defect, a mistake in the program, always has its stack.
 */
export const describeFailure = (cause: Cause.Cause<unknown>, debug: boolean, inColor = false): string => {
  const error = Cause.squash(cause)
  const isDefect = Cause.hasDies(cause) && !isRaised(error)
  const fix = isDefect ? fixFor(error) : undefined
  if (debug || (isDefect && fix === undefined)) return printable(Cause.pretty(cause))
  const word = "error:"
  const message = printable(error instanceof Error ? error.message : String(error))
  return `${inColor ? colored("red", word) : word} ${message}${fix === undefined ? "" : `; ${fix}`}`
}
