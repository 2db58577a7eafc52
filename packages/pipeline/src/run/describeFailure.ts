/** How a program that failed says so on a terminal. */
import { printable } from "@speedq/formats"
import * as Cause from "effect/Cause"
import { colored } from "../events/sinks/Output.ts"
import { isRaised } from "./raised.ts"

/** A failure is its message, as is what was raised on purpose; any other defect, a mistake in the program, always has its stack. */
export const describeFailure = (cause: Cause.Cause<unknown>, debug: boolean, inColor = false): string => {
  const error = Cause.squash(cause)
  if (debug || (Cause.hasDies(cause) && !isRaised(error))) return printable(Cause.pretty(cause))
  const word = "error:"
  const message = printable(error instanceof Error ? error.message : String(error))
  return `${inColor ? colored("red", word) : word} ${message}`
}
