/** Questions to the person at the terminal. */
import * as Prompt from "effect/cli/Prompt"
import * as Effect from "effect/Effect"

/** Whether somebody is there to be asked. */
export const canAsk = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true

/** Asks for yes or no; whoever leaves says no. */
export const confirm = (message: string) =>
  Effect.orElseSucceed(Prompt.run(Prompt.Confirm({ message, initial: false })), () => false)
