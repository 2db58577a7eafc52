/** Where help goes: what was asked for to standard output, what was not to standard error. Errors are told once, by `main`. */
import { hasColors } from "@speedq/pipeline"
import * as CliOutput from "effect/cli/CliOutput"
import type { HelpDoc } from "effect/cli/HelpDoc"
import * as Effect from "effect/Effect"
import { columnsOf, helpText } from "./helpText.ts"
import { print, printHelp } from "./output.ts"

const formatterOf = (stream: NodeJS.WriteStream) => CliOutput.defaultFormatter({ colors: hasColors(stream) })

const show = (stream: NodeJS.WriteStream, doc: HelpDoc) =>
  printHelp(stream, helpText(doc, formatterOf(stream), columnsOf(stream)))

/** `onInvalid` gets the help of the command whose line is wrong. */
export const presenter = (onInvalid: (doc: HelpDoc) => void): CliOutput.Presenter => ({
  present: (event) => {
    switch (event._tag) {
      case "Version":
        return print(`${event.name} ${event.version}`)
      case "Help":
        return show(event.reason === "Requested" ? process.stdout : process.stderr, event.helpDoc)
      case "InvalidInvocation":
        return Effect.sync(() => onInvalid(event.helpDoc))
    }
  }
})
