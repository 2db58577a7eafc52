/** The command line that this program was started with: for the record of a run, and to be typed again. */
import { basename, relative } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { remark } from "./output.ts"

/** Its arguments, without node and script. */
export const CommandLine = Context.Reference<ReadonlyArray<string>>("speedq/CommandLine", { defaultValue: () => [] })

/** An argument as a shell takes it. */
const quoted = (argument: string): string =>
  /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", "'\\''")}'`

/** `speedq run nano-2bit --set 'a=[1, 2]'`, to be copied into a shell. */
export const writtenCommand = (args: ReadonlyArray<string>): string => ["speedq", ...args.map(quoted)].join(" ")

/** How the program was started: by its name, through npm or npx, or by its file. */
const program = (): string => {
  const { npm_lifecycle_event: script, npm_command: command } = process.env
  if (script === "speedq") return "npm run speedq --"
  const [, file = ""] = process.argv
  if (command === "exec") return "npx speedq"
  return /\.[jt]s$/.test(basename(file)) ? `node ${quoted(relative("", file))}` : "speedq"
}

/** The command that continues what `args` began: without --fresh, which would begin anew. */
export const continuation = (args: readonly string[]): string =>
  [program(), ...args.filter((arg) => arg !== "--fresh").map(quoted)].join(" ")

/** Says how to go on, when it is interrupted and everything is saved. */
export const tellingHowToContinue =
  (command: string) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.onInterrupt(self, () => remark(`to continue: ${command}`))
