/** Where help goes: what was asked for to standard output, what was not to standard error. Errors are told once, by `main`. */
import * as CliOutput from "effect/cli/CliOutput"
import * as Effect from "effect/Effect"
import { print, printHelp } from "./output.ts"

const colorless = (stream: NodeJS.WriteStream): boolean => !stream.isTTY || process.env.NO_COLOR !== undefined
const formatterOf = (stream: NodeJS.WriteStream) => CliOutput.defaultFormatter({ colors: !colorless(stream) })

export const presenter: CliOutput.Presenter = {
  present: (event) => {
    switch (event._tag) {
      case "Version":
        return print(`${event.name} ${event.version}`)
      case "Help":
        return event.reason === "Requested"
          ? printHelp(process.stdout, formatterOf(process.stdout).formatHelpDoc(event.helpDoc))
          : printHelp(process.stderr, formatterOf(process.stderr).formatHelpDoc(event.helpDoc))
      case "InvalidInvocation":
        return Effect.void
    }
  }
}
