/** The command line as a person typed it, to be typed again. */
import { basename, relative } from "node:path"
import * as Effect from "effect/Effect"
import { remark } from "./output.ts"

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

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
